import Foundation
import Subprocess

/// How one long-lived process is started and stopped.
struct Launch: Sendable {
  /// The part's name, such as `gateway-1`.
  var name: String
  /// The program and its arguments. Credentials go into files or `environment`, never here.
  var command: [String]
  /// The whole environment, nothing is inherited besides what `Tool.baseEnvironment` passes on.
  var environment: [String: String] = [:]
  /// The working directory.
  var folder: String
  /// The file that standard output and standard error are appended to.
  var log: String
  /// The signal that asks the process to stop in good order, without `SIG`.
  var stopSignal = StopSignal.terminate

  enum StopSignal: String, Sendable {
    case terminate = "TERM"
    /// PostgreSQL's fast shutdown; its SIGTERM would wait for clients to leave.
    case interrupt = "INT"
    /// nginx' graceful shutdown is SIGQUIT, its fast one SIGTERM.
    case quit = "QUIT"

    var number: Int32 {
      switch self {
      case .terminate: SIGTERM
      case .interrupt: SIGINT
      case .quit: SIGQUIT
      }
    }
  }
}

/// One run of a process, from its start to its end.
final class ManagedProcess: Sendable {
  enum End: Sendable, CustomStringConvertible {
    case ended(TerminationStatus)
    case notStarted(reason: String)

    var description: String {
      switch self {
      case .ended(.exited(let code)): "exit status \(code)"
      case .ended(.signaled(let signal)): "signal \(signal)"
      case .notStarted(let reason): reason
      }
    }
  }

  let launch: Launch
  /// Set when the process has been told to begin.
  let started = Latch<Int32?>()
  let ended = Latch<End>()

  init(_ launch: Launch) { self.launch = launch }

  /// The process id while the process runs.
  var identifier: Int32? { ended.current == nil ? started.current ?? nil : nil }

  /// Runs the process to its end. Cancellation ends the process.
  ///
  /// The child waits for one line on its standard input and becomes the program only then, which is after the watchdog knows of
  /// it: should this process be killed in between, the child reads the end of its input and leaves.
  func run(watchdog: Watchdog) async {
    var options = PlatformOptions()
    options.processGroupID = 0  // a Ctrl-C in the terminal is for the stack, which stops its parts in order
    options.teardownSequence = [.send(signal: Signal(rawValue: launch.stopSignal.number), allowedDurationToNextStep: .seconds(5))]
    let environment = Tool.baseEnvironment.merging(launch.environment) { _, own in own }
    // Thousands of connections need more open files than a shell's usual 1024.
    let gate = """
      read -r go || exit 0
      umask 077
      exec >>"$2" 2>&1
      ulimit -Sn 65536 2>/dev/null || ulimit -Sn "$(ulimit -Hn)"
      cd "$1" && shift 2 && exec "$@" </dev/null
      """
    do {
      let result = try await Subprocess.run(
        .name("sh"), arguments: Arguments(["-c", gate, launch.name, launch.folder, launch.log] + launch.command),
        environment: Tool.environment(environment), platformOptions: options,
        input: .inputWriter, output: .discarded, error: .discarded
      ) { execution in
        let identifier = execution.processIdentifier.value
        try await watchdog.register(identifier, stopSignal: launch.stopSignal.rawValue)
        _ = try await execution.standardInputWriter.write("go\n")
        try await execution.standardInputWriter.finish()
        started.set(identifier)
        return identifier
      }
      ended.set(.ended(result.terminationStatus))
      try await watchdog.forget(result.closureResult)
    } catch {
      ended.set(.notStarted(reason: String(describing: error)))
    }
    started.set(nil)
  }

  /// Sends a signal to the process, and to its descendants too where asked.
  func signal(_ number: Int32, descendants: Bool = false) {
    guard let identifier else { return }
    let targets = descendants ? ProcessTree.members(of: identifier) : [identifier]
    for target in targets { kill(target, number) }
  }
}

/// Parenthood as the kernel tells it.
enum ProcessTree {
  /// The process and all its descendants, parents first.
  static func members(of root: Int32) -> [Int32] {
    var members = [root]
    var next = 0
    while next < members.count {
      members += children(of: members[next])
      next += 1
    }
    return members
  }

  private static func children(of process: Int32) -> [Int32] {
    let tasks = "/proc/\(process)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return threads.flatMap { thread in
      let text = (try? String(contentsOfFile: "\(tasks)/\(thread)/children", encoding: .utf8)) ?? ""
      return text.split(separator: " ").compactMap { Int32($0) }
    }
  }
}
