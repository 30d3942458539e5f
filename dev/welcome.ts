/** What to try first. `cli` calls the command line. */
export function welcome(
  url: string,
  cli: string,
  { docs, needsKey }: { docs: 'on' | 'off'; needsKey: boolean },
): string {
  const key = needsKey ? ' -H "authorization: Bearer $KEY"' : '';
  const post = (route: string, body: string) =>
    `curl -X POST ${url}${route}${key} -H 'content-type: application/json' -d '${body}'`;
  const aboutKeys = needsKey
    ? `
  Every request needs a key. To have one of your own, as an administrator:
    KEY=$(${cli.replace('npm run', 'npm run -s')} key create me --scopes admin)
`
    : '';
  return `
  Tally runs at ${url}, its API page at ${url}${docs === 'on' ? '/docs' : '/openapi.json'}
${aboutKeys}
  Try it:
    ${post('/products', '{"name":"Tea","sku":"TEA-1","price":"4.50"}')}
    ${post('/users', '{"name":"Ada","email":"ada@example.com"}')}
    ${post('/orders', '{"user_id":1,"items":[{"product_id":1,"quantity":2}]}')}

  Or fill it with sample orders, and see what sells best:
    ${cli} demo
    curl ${url}/orders/reports/best-sellers${key}

  Ctrl-C stops it.
`;
}

/** For `npm run dev`; printed before the service answers. */
export function developerWelcome(url: string, cli: string): string {
  return `
  Tally starts at ${url}, and restarts when a file in src/ or migrations/ changes.
  MySQL and Redis keep running. The command line: ${cli}
  Ctrl-C stops everything.
`;
}
