import { CronExpressionParser } from 'cron-parser';

/** The first instant after `after` that a cron expression names, Unix milliseconds. @throws if it is none */
export function nextByCron(cron: string, timezone: string, after: number): number {
  return CronExpressionParser.parse(cron, { currentDate: new Date(after), tz: timezone })
    .next()
    .getTime();
}
