/**
 * Hands over together what is given in one turn of the event loop, after the promises of that turn have gone on.
 * @param send what is done with it
 */
export function gathered<T>(send: (items: readonly T[]) => void): (item: T) => void {
  let waiting: T[] = [];
  return (item) => {
    waiting.push(item);
    if (waiting.length > 1) return;
    process.nextTick(() => {
      const items = waiting;
      waiting = [];
      send(items);
    });
  };
}
