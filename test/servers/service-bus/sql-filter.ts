type Properties = Readonly<Record<string, unknown>>;
type Filter = (properties: Properties) => boolean;

const TOKEN = /\s*(?:('(?:[^']|'')*')|(<>|!=|<=|>=|[=<>()])|(\d+(?:\.\d+)?)|([\w.]+))/y;

/**
 * The part of the service's filter language that tests need: comparisons of application properties (`sys.` names none of
 * them) with texts and numbers, IS [NOT] NULL, AND, OR, NOT and brackets.
 * @throws Error that says what cannot be read
 */
export function parseSqlFilter(expression: string): Filter {
  const tokens = tokensOf(expression);
  let at = 0;
  const peek = (): string | undefined => tokens[at]?.toUpperCase();
  const take = (wanted?: string): string => {
    const token = tokens[at];
    if (token === undefined || (wanted !== undefined && token.toUpperCase() !== wanted))
      throw new Error(`a filter cannot be read: ${expression}`);
    at += 1;
    return token;
  };

  const anyOf = (): Filter => {
    let left = allOf();
    while (peek() === 'OR') {
      take();
      const [one, other] = [left, allOf()];
      left = (properties) => one(properties) || other(properties);
    }
    return left;
  };
  const allOf = (): Filter => {
    let left = term();
    while (peek() === 'AND') {
      take();
      const [one, other] = [left, term()];
      left = (properties) => one(properties) && other(properties);
    }
    return left;
  };
  const term = (): Filter => {
    if (peek() === 'NOT') {
      take();
      const inner = term();
      return (properties) => !inner(properties);
    }
    if (peek() === '(') {
      take();
      const inner = anyOf();
      take(')');
      return inner;
    }
    return comparison();
  };
  const comparison = (): Filter => {
    const left = operandOf(take());
    if (peek() === 'IS') {
      take();
      const negated = peek() === 'NOT';
      if (negated) take();
      take('NULL');
      return (properties) => (left(properties) == null) !== negated;
    }
    const operator = take();
    const right = operandOf(take());
    return (properties) => compare(left(properties), operator, right(properties));
  };

  const filter = anyOf();
  if (at < tokens.length) throw new Error(`a filter cannot be read: ${expression}`);
  return filter;
}

function tokensOf(expression: string): string[] {
  const tokens: string[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < expression.trimEnd().length) {
    const match = TOKEN.exec(expression);
    if (!match) throw new Error(`a filter cannot be read: ${expression}`);
    tokens.push(match[0].trim());
  }
  return tokens;
}

function operandOf(token: string): (properties: Properties) => unknown {
  if (token.startsWith("'")) {
    const text = token.slice(1, -1).replaceAll("''", "'");
    return () => text;
  }
  if (/^\d/.test(token)) return () => Number(token);
  return (properties) => properties[token.replace(/^user[.]/, '')];
}

/** With what is not there nothing compares. */
function compare(left: unknown, operator: string, right: unknown): boolean {
  if (left == null || right == null) return false;
  const [one, other] = [left as string | number, right as string | number];
  switch (operator) {
    case '=':
      return one === other;
    case '<>':
    case '!=':
      return one !== other;
    case '<':
      return one < other;
    case '>':
      return one > other;
    case '<=':
      return one <= other;
    case '>=':
      return one >= other;
    default:
      throw new Error(`no operator of a filter: ${operator}`);
  }
}
