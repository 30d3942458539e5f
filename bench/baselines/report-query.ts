/** The query string of a report, as Tally takes it. */
export interface ReportQuery {
  limit?: string;
  by?: string;
  from?: string;
  to?: string;
  interval?: string;
}

/** From the first day to before the last one; undefined for all time. */
export function rangeOf({ from, to }: ReportQuery): [from: string, to: string] | undefined {
  return from === undefined || to === undefined ? undefined : [from, to];
}
