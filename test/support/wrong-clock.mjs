// Loaded before a command (node --import): its clock is CLOCK_AHEAD_SECONDS ahead of this machine's.
const ms = Number(process.env.CLOCK_AHEAD_SECONDS) * 1000;
const { now } = Date;

globalThis.Date = class extends Date {
  constructor(...args) {
    super(...(args.length === 0 ? [now() + ms] : args));
  }

  static now() {
    return now() + ms;
  }
};
