/** What the launcher must know of a kind of server; there are two, MySQL and Redis. */
export interface ServerKind {
  /** Its name in docker-compose.yml, and of its folder in the data directory. */
  service: 'mysql' | 'redis';
  /** The environment variable that names a server to use instead of starting one. */
  variable: 'DATABASE_URL' | 'REDIS_URL';
  /** The address at which docker-compose.yml publishes it. */
  composeUrl: string;
  /** The programs that can serve, as a person would name them. */
  programs: string;
  /** Debian packages that hold such a program. */
  packages: string[];
  /** A way to start it with programs found in these folders, or `undefined` where they are missing. */
  find: (searchPath: string[]) => Startable | undefined;
}

export interface Startable {
  /** Full path of the server program. */
  program: string;
  start: (place: Place) => Promise<RunningServer & { pid: number }>;
}

/** Where a private server lives. */
export interface Place {
  /** Short-lived, private, with a short path: for sockets. */
  runDir: string;
  /** The server's own data directory; its parent exists. */
  dataDir: string;
  logFile: string;
  /** Thrown away when stopped: memory and logs are kept small so that it starts fast. Durability is never reduced. */
  ephemeral: boolean;
  /** Memory and logs for a million orders: for measurements. */
  large?: boolean;
  onDeath: (message: string) => void;
}

export interface RunningServer {
  url: string;
  /** Stops what was started, and waits for its end. */
  stop: () => Promise<void>;
}
