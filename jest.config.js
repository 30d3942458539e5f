/** Type errors show through `npm run typecheck`; swc only strips the types. */
const swc = [
  '@swc/jest',
  { jsc: { parser: { syntax: 'typescript' }, target: 'es2023' }, module: { type: 'commonjs' } },
];

/** @type {import('jest').Config} */
module.exports = {
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  // Jest on Node 20 does not take ES modules, nor what imports one when it is needed.
  transform: { '\\.ts$': swc, '/node_modules/.+\\.js$': swc },
  transformIgnorePatterns: ['/node_modules/(?!(@fastify/cookie|openid-client|oauth4webapi|jose)/)'],
  globalSetup: '<rootDir>/test/support/global-setup.ts',
  setupFilesAfterEnv: ['<rootDir>/test/support/watch.ts'],
  globalTeardown: '<rootDir>/test/support/global-teardown.ts',
  testTimeout: 60_000,
  // One more than the cores of a small machine: many tests wait for a time to pass.
  maxWorkers: 3,
};
