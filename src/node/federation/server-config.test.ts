import { describe, expect, it } from "vitest";
import { checkExposure, isAtLeast, isOutdated, type NatsProgram } from "./nats-program.ts";
import { serverConfig, type ServerConfig } from "./server-config.ts";

const config: ServerConfig = {
  folder: "/srv/federation/server",
  listener: { port: 4222 },
  operatorJwt: "operator.jwt",
  systemAccount: "ASYS",
  accounts: new Map([
    ["ASYS", "a.b.c"],
    ["AFL", "d.e.f"],
  ]),
  syncAlways: true,
};
const tls = { certificate: "/etc/cert.pem", key: "/etc/key.pem" };

describe("the configuration of a server", () => {
  it("has operator mode, the full resolver and synced streams, and listens on this machine alone", () => {
    expect(serverConfig(config)).toBe(
      [
        "server_name: openfedllm",
        'host: "127.0.0.1"',
        "port: 4222",
        "max_payload: 4MB",
        "authorization { timeout: 30 }",
        'write_deadline: "60s"',
        'log_file: "/srv/federation/server/server.log"',
        "logfile_size_limit: 16MB",
        'pid_file: "/srv/federation/server/server.pid"',
        "jetstream {",
        '  store_dir: "/srv/federation/server/jetstream"',
        "  max_memory_store: 64MB",
        "  sync_interval: always",
        "}",
        "resolver {",
        "  type: full",
        '  dir: "/srv/federation/server/accounts"',
        "  allow_delete: true",
        '  interval: "2m"',
        "}",
        "operator: operator.jwt",
        "system_account: ASYS",
        "resolver_preload {",
        "  ASYS: a.b.c",
        "  AFL: d.e.f",
        "}",
        "",
      ].join("\n"),
    );
  });

  it("leaves out what an older server does not know, and has no open door", () => {
    expect(serverConfig({ ...config, syncAlways: false })).not.toContain("sync_interval");
    for (const word of ["no_auth_user", "http", "mqtt", "monitor"]) expect(serverConfig(config)).not.toContain(word);
  });

  it("exposes a listener with TLS only", () => {
    expect(() => serverConfig({ ...config, listener: { host: "0.0.0.0", port: 4222 } })).toThrow("needs TLS");
    expect(() => serverConfig({ ...config, websocket: { host: "10.0.0.1", port: 443 } })).toThrow("needs TLS");
    const text = serverConfig({ ...config, listener: { host: "0.0.0.0", port: 4222, tls }, maxStoreBytes: 1000 });
    expect(text).toContain(
      'host: "0.0.0.0"\nport: 4222\ntls {\n  cert_file: "/etc/cert.pem"\n  key_file: "/etc/key.pem"\n  timeout: 15\n}',
    );
    expect(text).toContain("max_file_store: 1000");
  });

  it("lets pages connect that are named, and otherwise none of another origin", () => {
    const websocket = { port: 8443, tls };
    expect(serverConfig({ ...config, websocket })).toContain("same_origin: true");
    expect(serverConfig({ ...config, websocket: { port: 8080 } })).toContain("no_tls: true");
    const origins = serverConfig({
      ...config,
      websocket: { ...websocket, allowedOrigins: ["https://app.example.org"] },
    });
    expect(origins).toContain('allowed_origins: ["https://app.example.org"]');
    expect(origins).not.toContain("no_tls");
  });
});

describe("the version of a server", () => {
  const of = (text: string): NatsProgram => ({
    path: "nats-server",
    version: text.split(".").map(Number) as unknown as NatsProgram["version"],
  });

  it("is outdated below 2.12.12, of 2.13, and from 2.14.0 to 2.14.2", () => {
    const outdated = ["1.4.1", "2.9.10", "2.10.27", "2.12.11", "2.13.0", "2.13.99", "2.14.0", "2.14.2"];
    const good = ["2.12.12", "2.12.20", "2.14.3", "2.15.0", "2.15.1", "3.0.0"];
    expect(outdated.filter((version) => !isOutdated(of(version)))).toEqual([]);
    expect(good.filter((version) => isOutdated(of(version)))).toEqual([]);
    expect([isAtLeast(of("2.9.10"), 2, 10), isAtLeast(of("2.10.0"), 2, 10), isAtLeast(of("3.0.0"), 2, 10)]).toEqual([
      false,
      true,
      true,
    ]);
  });

  it("matters where other machines reach a listener, unless the person takes the risk", () => {
    const [here, there] = [{ port: 4222 }, { host: "0.0.0.0", port: 443, tls }];
    expect(() => checkExposure(of("2.9.10"), [here, there], false)).toThrow(/2\.9\.10 has known .* 0\.0\.0\.0:443/);
    checkExposure(of("2.9.10"), [here, { host: "::1", port: 1 }], false);
    checkExposure(of("2.9.10"), [there], true);
    checkExposure(of("2.15.1"), [there], false);
  });
});
