import Foundation

/// A folder with stand-ins for our programs, so that what the stack does with services is tested without them.
struct StandInServices {
  let folder: String

  /// A gateway that answers each WebSocket with its name and what nginx sent along; services that are only ready; a `martletctl`
  /// whose migration makes the roles.
  init(in folder: String) throws {
    self.folder = folder
    let service = """
      #!/usr/bin/python3
      import asyncio, http, json, os, websockets
      name = os.environ["MARTLET_MQTT_CLIENT_ID"]
      async def ready(path, headers):
          return (http.HTTPStatus.OK if path == "/readyz" else http.HTTPStatus.NOT_FOUND, [], b"")
      async def greet(socket, path):
          await socket.send(json.dumps({"name": name, "path": path, "forwarded": socket.request_headers.get("X-Forwarded-For")}))
          await socket.wait_closed()
      async def main():
          host = os.environ["MARTLET_HOST"]
          async with websockets.serve(greet, host, int(os.environ["MARTLET_PORT"])), \\
              websockets.serve(greet, os.environ["MARTLET_ADMIN_HOST"], int(os.environ["MARTLET_ADMIN_PORT"]), process_request=ready):
              await asyncio.Future()
      asyncio.run(main())
      """
    let commandLine = """
      #!/bin/sh
      PGPASSWORD=$(cat "$MARTLET_POSTGRES_PASSWORD_FILE") exec psql "$MARTLET_POSTGRES_URL" -q -v ON_ERROR_STOP=1 -c \\
        'CREATE ROLE martlet_gateway NOLOGIN; CREATE ROLE martlet_ingest NOLOGIN; CREATE ROLE martlet_persister NOLOGIN; CREATE ROLE martlet_api NOLOGIN'
      """
    for name in ["gateway", "ingest", "persister", "api"] { try write(service, to: name) }
    try write(commandLine, to: "martletctl")
  }

  private func write(_ text: String, to name: String) throws {
    try text.write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(folder)/\(name)")
  }
}
