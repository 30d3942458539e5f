import { instant, type Instant } from '../domain/ids';

/** What DATETIME(3) takes. */
export function toDatetime(iso: Instant): string {
  return iso.replace('T', ' ').replace('Z', '');
}

/** What DATETIME(3) gives (`2026-11-21 10:00:00.000`, in UTC). */
export function fromDatetime(text: string): Instant {
  return instant(`${text.replace(' ', 'T')}Z`);
}
