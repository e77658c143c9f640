// An HTTP proxy that opens tunnels (CONNECT) to one place only: node connect-proxy.mjs PORT HOST:PORT
import { createServer } from "node:http";
import { connect } from "node:net";

const [port, allowed] = process.argv.slice(2);
const server = createServer((_, response) => response.writeHead(405).end());
server.on("connect", ({ url }, socket, head) => {
  process.stdout.write(`CONNECT ${url}\n`);
  if (url !== allowed) {
    socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    return;
  }
  const [host, to] = url.split(":");
  const upstream = connect(Number(to), host, () => {
    socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
    upstream.write(head);
    upstream.pipe(socket).pipe(upstream);
  });
  upstream.on("error", () => socket.destroy());
  socket.on("error", () => upstream.destroy());
});
server.listen(Number(port), () => process.stdout.write("ready\n"));
