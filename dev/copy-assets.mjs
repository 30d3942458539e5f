import { cp } from 'node:fs/promises';

// tsc does not copy the Lua scripts, which the code reads from its own folder.
await cp('src', 'dist', { recursive: true, filter: (file) => !file.endsWith('.ts') });
