/** ISO 8601 in UTC → what DATETIME(3) takes. */
export function toDatetime(iso: string): string {
  return iso.replace('T', ' ').replace('Z', '');
}

/** What DATETIME(3) gives (`2026-11-21 10:00:00.000`, in UTC) → ISO 8601. */
export function fromDatetime(text: string): string {
  return `${text.replace(' ', 'T')}Z`;
}
