import Foundation
import LocalStack
import Synchronization
import Testing

@Suite struct LocalStackTests {
  @Test func `A program that leaves its input unread is judged by its exit status`() async throws {
    let input = String(repeating: "x", count: 1 << 20)  // more than a pipe holds
    for _ in 0..<20 {
      let outcome = try await Tool.outcome(of: ["sh", "-c", "exit 3"], input: input)
      #expect(outcome.exitStatus == 3)
    }
  }

  @Test func `A stack of another process takes no port that this one has given out`() async throws {
    let lock = """
      import fcntl, os, sys, tempfile
      with open(f"{tempfile.gettempdir()}/martlet-ports-{os.getuid()}", "r+b") as register:
          fcntl.lockf(register, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, int(sys.argv[1]))
      """
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let outcome = try await Tool.outcome(of: ["/usr/bin/python3", "-c", lock, "\(stack.redis.port)"])
      #expect(outcome.exitStatus == 1 && outcome.errors.contains("BlockingIOError"))
      let another = try await Tool.outcome(of: ["/usr/bin/python3", "-c", lock, "\(stack.redis.port + 20_000)"])
      #expect(another.exitStatus == 0)
    }
  }

  @Test func `Redis keeps what it acknowledged when it is killed`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      #expect(try await redis.cli("SET", "key", "value", user: .admin) == "OK")
      try await stack.kill("redis")
      await #expect(throws: LocalStackError.self) { try await redis.cli("PING") }
      try await stack.start("redis")
      #expect(try await redis.cli("GET", "key", user: .admin) == "value")
    }
  }

  @Test func `Redis refuses strangers and administration by services`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let redis = try stack.redis
      await #expect(throws: LocalStackError.self) { try await redis.cli("CONFIG", "GET", "*", user: .gateway) }
      await #expect(throws: LocalStackError.self) {
        try await Tool.run(["redis-cli", "-e", "-p", "\(redis.port)", "PING"])
      }
    }
  }

  @Test func `PostgreSQL keeps its rows over kill and restart`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      _ = try await postgres.query("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7);")
      try await stack.kill("postgres")
      try await stack.start("postgres")
      try await stack.restart("postgres")
      #expect(try await postgres.query("SELECT n FROM kept") == "7")
    }
  }

  @Test func `PostgreSQL asks roles for their passwords over TCP`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      _ = try await postgres.query("CREATE ROLE martlet_gateway NOLOGIN")
      try await postgres.grantLogins()
      for role in [PostgresServer.Role.gateway, .owner, .superuser] {
        let right = try await Tool.run(
          ["psql", postgres.url(role), "-tAc", "SELECT current_user"], environment: ["PGPASSWORD": postgres.password(role)])
        #expect(right == role.rawValue)
        await #expect(throws: LocalStackError.self) {
          try await Tool.run(["psql", postgres.url(role), "-c", "SELECT 1"], environment: ["PGPASSWORD": "wrong"])
        }
      }
    }
  }

  @Test func `A paused PostgreSQL answers only once it is resumed`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      try await stack.pause("postgres")
      try await confirmation("the query is answered after the pause") { answered in
        try await withThrowingTaskGroup(of: Void.self) { group in
          group.addTask {
            let answer = try await postgres.query("SELECT 1")
            #expect(answer == "1")
            answered()
          }
          try await stack.resume("postgres")
          try await group.waitForAll()
        }
      }
    }
  }

  @Test func `Mosquitto keeps retained messages and refuses strangers`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.mosquitto])) { stack in
      let mosquitto = try stack.mosquitto
      try await mosquitto.publish("-t", "epicura/EPIC-001/status", "-q", "1", "-r", "-m", "online")
      try await stack.restart("mosquitto")
      let kept = try await Tool.run(
        ["mosquitto_sub", "-t", "epicura/EPIC-001/status", "-C", "1", "-W", "10"], environment: mosquitto.clientEnvironment(.ingest))
      #expect(kept == "online")
      await #expect(throws: LocalStackError.self) {
        try await Tool.run(["mosquitto_pub", "-p", "\(mosquitto.port)", "-t", "epicura/EPIC-001/status", "-m", "x"])
      }
    }
  }

  @Test func `With TLS each server proves itself by the authority`() async throws {
    var configuration = LocalStackConfiguration([.postgres, .redis, .mosquitto])
    configuration.tls = true
    try await LocalStack.run(configuration) { stack in
      let (postgres, redis, mosquitto) = try (stack.postgres, stack.redis, stack.mosquitto)
      let authority = try #require(redis.tls?.caFile)
      let row = try await Tool.run(
        [
          "psql", "host=localhost port=\(postgres.port) user=martlet dbname=martlet sslmode=verify-full sslrootcert=\(authority)", "-tAc",
          "SELECT 1",
        ], environment: ["PGPASSWORD": postgres.password(.owner)])
      #expect(row == "1")
      let pong = try await Tool.run(
        ["redis-cli", "-h", "localhost", "-p", "\(redis.tls?.port ?? 0)", "--tls", "--cacert", authority, "--user", "admin", "PING"],
        environment: ["REDISCLI_AUTH": redis.password(.admin)])
      #expect(pong == "PONG")
      try await Tool.run(
        [
          "mosquitto_pub", "-h", "localhost", "-p", "\(mosquitto.tls?.port ?? 0)", "--cafile", authority, "-q", "1", "-t",
          "martlet/probe/events/none", "-m", "x",
        ], environment: mosquitto.clientEnvironment(.simulator))
    }
  }

  @Test func `A part that cannot start is named with its log and a remedy`() async throws {
    var configuration = LocalStackConfiguration([.redis])
    configuration.redisMemoryBytesMax = -1
    let error = await #expect(throws: LocalStackError.self) { try await LocalStack.run(configuration) { _ in } }
    #expect(error?.part == "redis")
    #expect(error?.code == .ended)
    #expect(error?.message.contains("maxmemory") == true)
  }

  @Test func `A part that is not there is named with those that are`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let error = await #expect(throws: LocalStackError.self) { try await stack.start("persister-1") }
      #expect(error?.message.contains("redis") == true)
      #expect(throws: LocalStackError.self) { _ = try stack.postgres }
    }
  }

  @Test func `A taken port is replaced and told`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { other in
      let taken = try other.redis.port
      let told = Mutex<[String]>([])
      var configuration = LocalStackConfiguration([.mosquitto])
      configuration.mqttPort = taken
      configuration.progress = { line in told.withLock { $0.append(line) } }
      try await LocalStack.run(configuration) { stack in
        let port = try stack.mosquitto.port
        #expect(port != taken)
        #expect(told.withLock { $0 }.contains("port \(taken) for MQTT is taken; \(port) is used instead"))
      }
    }
  }

  @Test func `Nothing is left behind`() async throws {
    var kept: (folder: String, process: Int32?) = ("", nil)
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      kept = (stack.folder.path, try await stack.processIdentifier("redis"))
    }
    #expect(!FileManager.default.fileExists(atPath: kept.folder))
    let process = try #require(kept.process)
    #expect(kill(process, 0) == -1)
  }

  @Test func `Credentials are readable by their owner only`() async throws {
    try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
      let file = try stack.redis.passwordFile(.gateway)
      let attributes = try FileManager.default.attributesOfItem(atPath: file)
      #expect(attributes[.posixPermissions] as? Int == 0o600)
      let process = try #require(try await stack.processIdentifier("redis"))
      let arguments = try await Tool.run(["ps", "-o", "args=", "-p", "\(process)"])
      #expect(try !arguments.contains(stack.redis.password(.gateway)))
    }
  }
}
