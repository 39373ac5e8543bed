import Foundation
import LocalStack
import Testing

/// The whole stack, with stand-ins for our services.
@Suite struct ServicesInStackTests {
  @Test func `nginx deals WebSockets to the replicas and keeps tokens out of its logs`() async throws {
    try await withWholeStack { stack in
      let client = """
        import asyncio, json, sys, websockets
        async def main():
            async with websockets.connect(sys.argv[1]) as one, websockets.connect(sys.argv[1]) as two:
                answers = [json.loads(await socket.recv()) for socket in (one, two)]
            print(*sorted(answer["name"] for answer in answers), answers[0]["path"], answers[0]["forwarded"])
        asyncio.run(main())
        """
      let url = try "\(stack.nginx.url)/ws?token=very-secret"
      let answer = try await Tool.run(["/usr/bin/python3", "-c", client, url])
      #expect(answer == "gateway-1 gateway-2 /ws?token=very-secret 127.0.0.1")

      try await stack.kill("gateway-1")
      try await stack.kill("gateway-2")
      await #expect(throws: LocalStackError.self) { try await Tool.run(["/usr/bin/python3", "-c", client, url]) }
      try await stack.restart("nginx")
      for log in ["nginx", "nginx-access"] {
        let text = try String(contentsOfFile: stack.folder.log(log), encoding: .utf8)
        #expect(!text.contains("very-secret"), "\(log)")
      }
    }
  }

  @Test func `Each service gets its own credentials`() async throws {
    try await withWholeStack { stack in
      let process = try #require(try await stack.processIdentifier("persister-1"))
      let environment = try String(contentsOfFile: "/proc/\(process)/environ", encoding: .utf8).split(separator: "\0").map(String.init)
      #expect(environment.contains("MARTLET_REDIS_URL=\(try stack.redis.url(.persister))"))
      #expect(environment.contains("MARTLET_POSTGRES_URL=\(try stack.postgres.url(.persister))"))
      #expect(environment.contains("MARTLET_POSTGRES_PASSWORD_FILE=\(try stack.postgres.passwordFile(.persister))"))
      let row = try await Tool.run(
        ["psql", stack.postgres.url(.persister), "-tAc", "SELECT current_user"],
        environment: ["PGPASSWORD": stack.postgres.password(.persister)])
      #expect(row == "martlet_persister")
    }
  }

  @Test func `A service that is not built is named`() async throws {
    var configuration = LocalStackConfiguration.whole()
    configuration.executables = "/nonexistent"
    let error = await #expect(throws: LocalStackError.self) { try await LocalStack.run(configuration) { _ in } }
    #expect(error?.code == .missingProgram)
    #expect(error?.message.contains("make build") == true)
  }

  private func withWholeStack(_ body: (LocalStack) async throws -> Void) async throws {
    let programs = try StackFolder(nil)
    defer { try? FileManager.default.removeItem(atPath: programs.path) }
    var configuration = LocalStackConfiguration.whole(gateways: 2)
    configuration.executables = try StandInServices(in: programs.path).folder
    try await LocalStack.run(configuration, body)
  }
}
