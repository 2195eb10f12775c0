import rhea from 'rhea';
import type { EventContext } from 'rhea';
import { type Broker, type Rule, keyOf, sqlRule } from './broker.ts';
import type { Entity, Settlement } from './entity.ts';
import { decode, encode } from './rhea-parts.ts';
import { CONDITION, type StoredMessage, propertiesOf } from './stored-message.ts';
import { listOf, numberOf, onTheWire } from './wire.ts';

const { types } = rhea;

type Body = Readonly<Record<string, unknown>>;

interface Answer {
  readonly status: number;
  readonly body?: object;
  readonly condition?: string;
}

const OK: Answer = { status: 200 };

/** By the statuses of `update-disposition`. */
const SETTLEMENTS: Readonly<Record<string, Settlement>> = {
  completed: 'complete',
  abandoned: 'abandon',
  defered: 'defer',
  suspended: 'deadletter',
};

/** Answers requests to an entity's `$management`. @param address of the entity */
export function manage(broker: Broker, context: EventContext, address: string): void {
  const request = context.message;
  if (!request) return;
  const operation = String(propertiesOf(request)['operation']).replace(/^com[.]microsoft:/, '');
  const body = (request.body ?? {}) as Body;
  reply(context, answer(broker, address, operation, body));
}

function answer(broker: Broker, address: string, operation: string, body: Body): Answer {
  const inlet = broker.inlet(address);
  if (operation === 'schedule-message') {
    if (!inlet) return gone(CONDITION.notFound);
    const sequences = listOf(body['messages']).map((entry) =>
      inlet.send(decode((entry as { message: Buffer }).message)),
    );
    // Always eight bytes each, as the service has it.
    return {
      status: 200,
      body: { 'sequence-numbers': types.wrap_array(sequences, 0x81, undefined) },
    };
  }
  if (operation === 'cancel-scheduled-message') {
    const cancelled = listOf(body['sequence-numbers']).map((one) => inlet?.cancel(numberOf(one)));
    return cancelled.every(Boolean) ? OK : gone(CONDITION.messageNotFound, 404);
  }
  if (operation.endsWith('-rule') || operation === 'enumerate-rules')
    return answerOfRules(broker, address, operation, body);
  const entity = broker.entity(address);
  return entity ? answerOfEntity(entity, operation, body) : gone(CONDITION.notFound, 404);
}

function answerOfEntity(entity: Entity, operation: string, body: Body): Answer {
  const tokens = listOf(body['lock-tokens']).map((token) =>
    Buffer.from(token as Uint8Array).toString('hex'),
  );
  const session = body['session-id'] as string | undefined;
  switch (operation) {
    case 'renew-lock': {
      const until = tokens.map((token) => entity.renew(token));
      if (until.includes(undefined)) return gone(CONDITION.lockLost);
      return { status: 200, body: { expirations: types.wrap_array(until, 0x83, undefined) } };
    }
    case 'update-disposition': {
      const how = SETTLEMENTS[String(body['disposition-status'])] ?? 'abandon';
      for (const token of tokens) {
        const lost = entity.settle(token, how, infoOf(body));
        if (lost !== undefined) return gone(lost);
      }
      return OK;
    }
    case 'peek-message': {
      const from = numberOf(body['from-sequence-number']);
      const peeked = entity.peek(from, Number(body['message-count']), session);
      if (peeked.length === 0) return { status: 204 };
      return {
        status: 200,
        body: { messages: peeked.map((stored) => ({ message: encoded(stored) })) },
      };
    }
    case 'receive-by-sequence-number': {
      const found = entity.receiveDeferred(listOf(body['sequence-numbers']).map(numberOf));
      if (!found) return gone(CONDITION.messageNotFound, 404);
      const messages = found.map((stored) => ({
        message: encoded(stored),
        'lock-token': types.wrap_uuid(Buffer.from(stored.token ?? '', 'hex')),
      }));
      return { status: 200, body: { messages } };
    }
    case 'renew-session-lock': {
      const until = entity.locks.renew(session ?? '');
      if (until === undefined) return gone(CONDITION.sessionLockLost);
      return { status: 200, body: { expiration: types.wrap_timestamp(until) } };
    }
    case 'get-session-state':
      return {
        status: 200,
        body: { 'session-state': entity.locks.stateOf(session ?? '') ?? null },
      };
    case 'set-session-state': {
      const state = body['session-state'];
      entity.locks.setState(session ?? '', Buffer.isBuffer(state) ? state : undefined);
      return OK;
    }
    default:
      return gone(CONDITION.notImplemented, 501);
  }
}

function answerOfRules(broker: Broker, address: string, operation: string, body: Body): Answer {
  const rules = broker.subscription(address)?.rules;
  if (!rules) return gone(CONDITION.notFound, 404);
  const name = String(body['rule-name']);
  switch (operation) {
    case 'add-rule': {
      if (rules.has(keyOf(name))) return gone('com.microsoft:entity-already-exists', 409);
      rules.set(keyOf(name), ruleOf(name, body['rule-description'] as Body));
      return OK;
    }
    case 'remove-rule':
      return rules.delete(keyOf(name)) ? OK : gone(CONDITION.notFound, 404);
    default:
      return pageOf([...rules.values()], body);
  }
}

function pageOf(rules: readonly Rule[], body: Body): Answer {
  const skip = Number(body['skip'] ?? 0);
  const page = rules.slice(skip, skip + Number(body['top'] ?? rules.length));
  return page.length > 0
    ? { status: 200, body: { rules: page.map(describedRule) } }
    : { status: 204 };
}

function ruleOf(name: string, description: Body): Rule {
  const sql = description['sql-filter'] as { expression?: string } | undefined;
  if (sql?.expression !== undefined) return sqlRule(name, sql.expression);
  const wanted = (description['correlation-filter'] ?? {}) as Body;
  const properties = Object.entries((wanted['properties'] ?? {}) as Body);
  return {
    name,
    sqlExpression: undefined,
    matches: (message) =>
      properties.every(([key, value]) => propertiesOf(message)[key] === value) &&
      (wanted['label'] == null || message.subject === wanted['label']) &&
      (wanted['session-id'] == null || message.group_id === wanted['session-id']),
  };
}

/** Codes of described lists: a rule, its SQL filter, a correlation filter, no action. */
const RULE_CODES = {
  rule: 0x137_0000_0004,
  sql: 0x13_7000_0006,
  correlation: 0x13_7000_0009,
  noAction: 0x137_0000_0005,
};

function describedRule({ name, sqlExpression }: Rule): object {
  const described = (value: unknown[], code: number): unknown => types.wrap_described(value, code);
  const filter =
    sqlExpression === undefined
      ? described([], RULE_CODES.correlation)
      : described([sqlExpression, 20], RULE_CODES.sql);
  return {
    'rule-description': described(
      [filter, described([], RULE_CODES.noAction), name],
      RULE_CODES.rule,
    ),
  };
}

function infoOf(body: Body): Body {
  return {
    ...(body['properties-to-modify'] as Body | undefined),
    ...(body['deadletter-reason'] != null && { DeadLetterReason: body['deadletter-reason'] }),
    ...(body['deadletter-description'] != null && {
      DeadLetterErrorDescription: body['deadletter-description'],
    }),
  };
}

function encoded(stored: StoredMessage): unknown {
  return encode(onTheWire(stored));
}

function gone(condition: string, status = 410): Answer {
  return { status, condition };
}

/** Answers a request on the link that it names. */
export function reply(
  { connection, message }: EventContext,
  { status, body, condition }: Answer,
): void {
  const request = message!;
  const link = connection.find_sender(
    (sender: { name: string; target?: { address?: string } }) =>
      sender.name === request.reply_to || sender.target?.address === request.reply_to,
  );
  const description = condition ?? 'OK';
  link?.send({
    correlation_id: request.message_id as string,
    body,
    application_properties: {
      statusCode: status,
      'status-code': status,
      statusDescription: description,
      'status-description': description,
      ...(condition !== undefined && { errorCondition: condition, 'error-condition': condition }),
    },
  });
}
