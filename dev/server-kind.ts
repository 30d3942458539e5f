/** What the launcher knows about MySQL, or about Redis. */
export interface ServerKind {
  /** Its name in docker-compose.yml; also the name of its folder in the data directory. */
  service: 'mysql' | 'redis';
  /** The environment variable with the address of a server. If it is set, none is started. */
  variable: 'DATABASE_URL' | 'REDIS_URL';
  /** Its address when Docker Compose runs it. */
  composeUrl: string;
  /** The server's programs, for messages. */
  programs: string;
  /** Debian packages that contain one of them. */
  packages: string[];
  /** Takes what the program says for `--version`. @throws TooOld */
  refuseOld: (version: string) => void;
  /** How to start it with the programs in these folders; `undefined` if they are missing. */
  find: (searchPath: string[]) => Startable | undefined;
}

export interface Startable {
  /** Full path of the server program. */
  program: string;
  start: (place: Place) => Promise<RunningServer & { pid: number }>;
}

/** The directories and files of one private server. */
export interface Place {
  /** For sockets: a private, temporary directory with a short path. */
  runDir: string;
  /** The server's own data directory. Its parent exists. */
  dataDir: string;
  logFile: string;
  /**
   * Of its memory and logs. A small server starts fast and is no less durable; a large one is large enough to measure with
   * a million orders.
   */
  size: 'small' | 'medium' | 'large';
  onDeath: (message: string) => void;
}

export interface RunningServer {
  url: string;
  /** Stops what was started and waits until it has ended. */
  stop: () => Promise<void>;
}
