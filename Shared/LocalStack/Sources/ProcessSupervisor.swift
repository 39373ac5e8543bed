import Foundation
import Subprocess

/// Keeps the stack's processes: starts, signals and stops them by name. All of them end with it, however it ends.
actor ProcessSupervisor {
  private var processes: [String: ManagedProcess] = [:]
  private let watchdog: Watchdog
  private let spawns: AsyncStream<ManagedProcess>.Continuation

  private init(watchdog: Watchdog, spawns: AsyncStream<ManagedProcess>.Continuation) {
    self.watchdog = watchdog
    self.spawns = spawns
  }

  /// Runs `body` with a supervisor; when it returns or throws, every process has ended and a temporary folder has gone.
  nonisolated(nonsending) static func run<Success>(
    in folder: StackFolder, _ body: nonisolated(nonsending) (ProcessSupervisor) async throws -> Success
  ) async throws -> Success {
    // A child that ends before it has read its input is an error of that write, not the end of this process.
    Foundation.signal(SIGPIPE, SIG_IGN)
    let watchdog = Watchdog()
    // Each caller waits for its process to start, so there are never more entries than parts.
    let (queue, spawns) = AsyncStream<ManagedProcess>.makeStream(bufferingPolicy: .bufferingOldest(1024))
    let supervisor = ProcessSupervisor(watchdog: watchdog, spawns: spawns)
    return try await withTaskGroup(of: Void.self) { group in
      group.addTask { await watchdog.run(folder: folder) }
      group.addTask {
        await withDiscardingTaskGroup { children in
          for await process in queue { children.addTask { await process.run(watchdog: watchdog) } }
        }
        watchdog.close()
      }
      let outcome: Result<Success, any Error>
      do {
        try await watchdog.waitUntilReady(folder: folder)
        outcome = .success(try await body(supervisor))
      } catch {
        outcome = .failure(error)
      }
      await supervisor.stopAll()
      spawns.finish()
      await group.waitForAll()
      return outcome
    }.get()
  }

  /// Starts a process under its name; throws when that name still runs.
  func start(_ launch: Launch) async throws -> ManagedProcess {
    if let running = processes[launch.name], running.identifier != nil {
      throw LocalStackError(.unusable, part: launch.name, "It is running already; stop it first.")
    }
    let process = ManagedProcess(launch)
    processes[launch.name] = process
    spawns.yield(process)
    if try await process.started.get() == nil, case .notStarted(let reason) = process.ended.current {
      throw LocalStackError(.ended, part: launch.name, "It could not be started: \(reason)")
    }
    return process
  }

  /// The process of that name, running or ended.
  func process(_ name: String) throws(LocalStackError) -> ManagedProcess {
    guard let process = processes[name] else {
      let known = processes.keys.sorted().joined(separator: ", ")
      throw LocalStackError(.unknownPart, part: name, "This stack has no such part; it has \(known).")
    }
    return process
  }

  /// Sends a signal to a process and, by default, to its descendants.
  func signal(_ name: String, _ number: Int32, descendants: Bool = true) throws(LocalStackError) {
    try process(name).signal(number, descendants: descendants)
  }

  /// Asks a process to stop in good order and waits; past `limit` it is killed.
  func stop(_ name: String, limit: Duration = .seconds(15)) async throws {
    let process = try process(name)
    process.signal(SIGCONT, descendants: true)
    process.signal(process.launch.stopSignal.number)
    do {
      try await Self.waitForEnd(of: process, limit: limit)
    } catch {
      try await kill(name)
    }
  }

  /// Ends a process and its descendants with SIGKILL and waits until it has gone.
  func kill(_ name: String) async throws {
    let process = try process(name)
    guard let identifier = process.identifier else { return }
    let members = ProcessTree.members(of: identifier)
    for member in members { Foundation.kill(member, SIGKILL) }
    try await Self.waitForEnd(of: process, limit: .seconds(10))
    // PostgreSQL does not start anew while a process of its former life still holds the shared memory.
    for _ in 0..<500 where members.contains(where: { Foundation.kill($0, 0) == 0 }) { try await Task.sleep(for: .milliseconds(10)) }
  }

  private static func waitForEnd(of process: ManagedProcess, limit: Duration) async throws {
    _ = try await withDeadline(limit) {
      LocalStackError(.deadlineExceeded, part: process.launch.name, "It did not end within \(limit).")
    } _: {
      try await process.ended.get()
    }
  }

  /// Services first, while the servers that they drain into are still there; then the servers.
  private func stopAll() async {
    let running = processes.values.filter { $0.identifier != nil }.map(\.launch.name)
    let servers = Set(StackServer.allCases.map(\.rawValue))
    for wave in [running.filter { !servers.contains($0) }, running.filter { servers.contains($0) }] {
      await withDiscardingTaskGroup { group in
        for name in wave { group.addTask { try? await self.stop(name) } }
      }
    }
  }
}
