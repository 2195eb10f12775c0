/**
 * Queries over all partitions: the service does not answer them as they are, but says how the client has to. The client
 * then asks each range of partitions and merges what it is given in the order of the plan.
 */
import { hash } from 'node:crypto';

/** Two, so that there is something to merge. */
export const RANGES = [
  { id: '0', minInclusive: '', maxExclusive: '80' },
  { id: '1', minInclusive: '80', maxExclusive: 'FF' },
].map((range) => ({ ...range, _rid: range.id, status: 'online', parents: [] }));

export function rangeOf(partition: string): string {
  return hash('sha256', partition, 'hex') < '8' ? '0' : '1';
}

/** What the client looks for in the refusal of such a query. */
export const NOT_SERVABLE =
  "Cross partition query only supports 'VALUE <AggregateFunc>' for aggregates; ask for the query plan";

const FORM =
  /^\s*SELECT\s+(?<list>.+?)\s+FROM\s+c\s+WHERE\s+(?<where>.+?)\s+ORDER BY\s+(?<order>.+?)\s*$/is;

/** @throws where it is a query that this server has no plan for: it knows a list of properties, conditions joined
 * by AND, and an order */
export function planOf(query: string): object {
  const { list, where, order } = FORM.exec(query)?.groups ?? {};
  if (list === undefined || where === undefined || order === undefined || /^TOP\b/i.test(list))
    throw new Error('this server has no plan for such a query over all partitions');
  const orders = order.split(',').map((one) => {
    const [expression = '', direction = 'ASC'] = one.trim().split(/\s+/);
    return { expression, direction: /desc/i.test(direction) ? 'Descending' : 'Ascending' };
  });
  const items = orders.map(({ expression }) => `{"item": ${expression}}`).join(', ');
  const payload =
    list === '*'
      ? 'c'
      : `{${list
          .split(',')
          .map((one) => `"${one.trim().split('.').at(-1)}": ${one.trim()}`)
          .join(', ')}}`;
  return {
    partitionedQueryExecutionInfoVersion: 2,
    queryInfo: {
      distinctType: 'None',
      top: null,
      offset: null,
      limit: null,
      orderBy: orders.map(({ direction }) => direction),
      orderByExpressions: orders.map(({ expression }) => expression),
      groupByExpressions: [],
      groupByAliases: [],
      aggregates: [],
      groupByAliasToAggregateType: {},
      rewrittenQuery: `SELECT c._rid, [${items}] AS orderByItems, ${payload} AS payload FROM c WHERE ${where} AND {documentdb-formattableorderbyquery-filter} ORDER BY ${order}`,
      hasSelectValue: false,
      hasNonStreamingOrderBy: false,
    },
    queryRanges: [{ min: '', max: 'FF', isMinInclusive: true, isMaxInclusive: false }],
  };
}
