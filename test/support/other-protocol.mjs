// Loaded before a command (node --import): it speaks the protocol OTHER_PROTOCOL, as another version of this software would.
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

// The thread that loads modules loads this file too, for `load`.
if (isMainThread) register(import.meta.url);

export async function load(url, context, next) {
  const loaded = await next(url, context);
  if (!/dist\/(federation\/protocol\/messages|identity\/enrolment)\.js$/.test(url)) return loaded;
  const source = String(loaded.source).replace(/(PROTOCOL(?:_VERSION)? = )\d+/, `$1${process.env.OTHER_PROTOCOL}`);
  return { ...loaded, source };
}
