'use strict';
// Loaded into a service before anything else: shifts what it sees as time by as much as its parent says. Timers and
// performance.now() are those of the system, as after a step of a real clock.
const RealDate = Date;
let offsetMs = 0;

globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offsetMs);
    else super(...args);
  }
  static now() {
    return RealDate.now() + offsetMs;
  }
};

process.on('message', (message) => {
  offsetMs = message.clockOffsetMs;
});
// Listening for messages must not keep a service alive that wants to end.
process.channel?.unref();
