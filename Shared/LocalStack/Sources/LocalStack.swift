import Foundation

/// Real servers, and our services, as children of this process: started, waited for until truly ready, torn down however the
/// process ends. The one way to start things here: tests, demo and benchmarks use it.
///
/// ```swift
/// @Test func setsAndGets() async throws {
///   try await LocalStack.run(LocalStackConfiguration([.redis])) { stack in
///     let redis = try stack.redis
///     let configuration = try RedisConfiguration(url: redis.url(.gateway), password: redis.password(.gateway))
///     …
///     try await stack.kill("redis")      // SIGKILL, and wait until it has gone
///     try await stack.start("redis")     // same port, same data, ready again when this returns
///     try await stack.pause("redis")     // SIGSTOP; stack.resume continues it
///   }
/// }
/// ```
///
/// A stack has its own free ports, random passwords and temporary folder, so tests that run side by side do not meet. Redis
/// or Mosquitto alone take about a tenth of a second to start, PostgreSQL half of one. A failing start throws an error that names the part,
/// the last lines of its log and what to do.
package struct LocalStack: Sendable {
  package let configuration: LocalStackConfiguration
  package let folder: StackFolder
  package let services: [MartletService]
  private let servers: Servers
  private let environment: ServiceEnvironment?
  private let nginxServer: NginxServer?
  private let supervisor: ProcessSupervisor

  /// Starts the stack, runs `body` once every part is ready, and stops everything when it returns, throws or is cancelled.
  package nonisolated(nonsending) static func run<Success>(
    _ configuration: LocalStackConfiguration, _ body: nonisolated(nonsending) (LocalStack) async throws -> Success
  ) async throws -> Success {
    let folder = try StackFolder(configuration.folder)
    return try await ProcessSupervisor.run(in: folder) { supervisor in
      let servers = try await Servers(configuration, folder: folder)
      let stack = try LocalStack(configuration, folder: folder, servers: servers, supervisor: supervisor)
      try await stack.startAll()
      return try await body(stack)
    }
  }

  private init(_ configuration: LocalStackConfiguration, folder: StackFolder, servers: Servers, supervisor: ProcessSupervisor) throws {
    (self.configuration, self.folder, self.servers, self.supervisor) = (configuration, folder, servers, supervisor)
    let environment = try configuration.services.isEmpty ? nil : ServiceEnvironment(folder, servers)
    self.environment = environment
    services = try configuration.services.map { plan in
      let values = environment?.values(for: plan.executable) ?? [:]
      return try MartletService(
        plan, folder: folder, executables: configuration.executables,
        environment: values.merging(configuration.environment) { _, own in own })
    }
    let addresses = Dictionary(grouping: zip(configuration.services, services), by: \.0.executable)
      .mapValues { $0.map { "\($1.host):\($1.port)" } }
    nginxServer =
      configuration.servers.contains(.nginx)
      ? try NginxServer(
        folder: folder, port: configuration.port(configuration.httpPort, for: "HTTP"), gateways: addresses["gateway"] ?? [],
        apis: addresses["api"] ?? [], signaling: addresses["signaling"] ?? [],
        admins: services.map { ($0.name, "\($0.host):\($0.adminPort)") }) : nil
  }

  // MARK: The parts

  package var redis: RedisServer { get throws(LocalStackError) { try part(servers.redis, .redis) } }
  package var redisCluster: RedisClusterServers { get throws(LocalStackError) { try part(servers.redisCluster, .redis) } }
  package var postgres: PostgresServer { get throws(LocalStackError) { try part(servers.postgres, .postgres) } }
  package var mosquitto: MosquittoServer { get throws(LocalStackError) { try part(servers.mosquitto, .mosquitto) } }
  package var nginx: NginxServer { get throws(LocalStackError) { try part(nginxServer, .nginx) } }

  private func part<Part>(_ part: Part?, _ server: StackServer) throws(LocalStackError) -> Part {
    guard let part else {
      throw LocalStackError(.unknownPart, part: server.rawValue, "It is not in this stack; name it in the configuration.")
    }
    return part
  }

  /// The service of that name, such as `gateway-1`.
  package func service(_ name: String) throws(LocalStackError) -> MartletService {
    guard let service = services.first(where: { $0.name == name }) else {
      throw LocalStackError(.unknownPart, part: name, "This stack has no such service.")
    }
    return service
  }

  private var parts: [any StackPart] { servers.all + services + [nginxServer].compactMap { $0 } }

  // MARK: Control

  /// Starts a part that has ended, on its port and with its data, and returns when it is ready.
  package func start(_ name: String) async throws {
    guard let part = parts.first(where: { $0.launch.name == name }) else {
      let known = parts.map(\.launch.name).joined(separator: ", ")
      throw LocalStackError(.unknownPart, part: name, "This stack has no such part; it has \(known).")
    }
    let process = try await supervisor.start(part.launch)
    try await Readiness(part: part, process: process, limit: configuration.readinessLimit).wait()
    try await part.configure()
  }

  /// Stops a part in good order and waits until it has gone; after 15 s it is killed.
  package func stop(_ name: String) async throws { try await supervisor.stop(name) }

  /// Ends a part and all its processes with SIGKILL and waits until they have gone.
  package func kill(_ name: String) async throws { try await supervisor.kill(name) }

  /// `stop`, then `start`.
  package func restart(_ name: String) async throws {
    try await stop(name)
    try await start(name)
  }

  /// Halts a part and all its processes (SIGSTOP): it keeps its connections and answers nothing.
  package func pause(_ name: String) async throws { try await supervisor.signal(name, SIGSTOP) }

  /// Lets a paused part go on.
  package func resume(_ name: String) async throws { try await supervisor.signal(name, SIGCONT) }

  /// Sends a signal to a part's first process only.
  package func signal(_ name: String, _ number: Int32) async throws { try await supervisor.signal(name, number, descendants: false) }

  /// The part's process id while it runs.
  package func processIdentifier(_ name: String) async throws -> Int32? { try await supervisor.process(name).identifier }

  // MARK: Our command line

  /// Runs `martletctl` with this stack's addresses and credentials, and returns what it prints.
  @discardableResult
  package func martletctl(_ arguments: String..., input: String = "", limit: Duration = .seconds(60)) async throws -> String {
    try await Tool.run([martletctlProgram] + arguments, environment: martletctlEnvironment, input: input, limit: limit)
  }

  /// Keeps `martletctl` running as a part of the stack under a name, such as the simulator.
  ///
  /// - Parameter environment: settings beyond this stack's, such as what a simulated device proves itself with.
  package func keepMartletctl(_ name: String, _ arguments: [String], environment: [String: String] = [:]) async throws {
    _ = try await supervisor.start(
      Launch(
        name: name, command: [martletctlProgram] + arguments,
        environment: martletctlEnvironment.merging(environment) { _, given in given }, folder: folder.path, log: folder.log(name)))
  }

  private var martletctlProgram: String { "\(configuration.executables)/martletctl" }

  private var martletctlEnvironment: [String: String] {
    (environment?.values(for: "martletctl") ?? [:]).merging(configuration.environment) { _, own in own }
  }

  /// Runs `martletctl` with its output on ours, until it ends or the task is cancelled.
  func followMartletctl(_ arguments: [String]) async throws {
    try await Tool.follow([martletctlProgram] + arguments, environment: martletctlEnvironment)
  }

  /// Servers side by side, then the schema, then the services, then nginx.
  private func startAll() async throws {
    try await startAll(servers.all)
    try await servers.redisCluster?.form(limit: configuration.readinessLimit)
    if !services.isEmpty {
      configuration.progress("migrating the database")
      try await martletctl("migrate")
      try await postgres.grantLogins()
      try await startAll(services)
    }
    try await startAll([nginxServer].compactMap { $0 })
  }

  private func startAll(_ parts: [any StackPart]) async throws {
    try await withThrowingTaskGroup(of: Void.self) { group in
      for part in parts {
        group.addTask {
          try await start(part.launch.name)
          configuration.progress("\(part.launch.name) is ready")
        }
      }
      try await group.waitForAll()
    }
  }
}
