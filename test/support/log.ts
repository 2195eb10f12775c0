/** Hears everything and says nothing. */
export const silentLog = { info: () => undefined, warn: () => undefined };
