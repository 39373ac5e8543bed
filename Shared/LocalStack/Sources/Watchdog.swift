import Subprocess

/// A child that outlives this process by moments, to end what a killed parent can no longer end itself.
///
/// It is told on its standard input which processes run. When that pipe reaches its end, because the stack was closed or
/// because the kernel closed it for a process that was killed, it ends whatever is still listed: the part's own stop signal,
/// after five seconds SIGKILL, for the process and all its descendants. Then it removes the stack's folder if that is temporary.
///
/// It also holds the lock of the folder, so that a new stack in the same folder waits until the last process of the old one is gone.
struct Watchdog: Sendable {
  private struct Line: Sendable {
    let text: String
    let written: Latch<Bool>
  }

  private let isReady = Latch<Bool>()
  private let lines: AsyncStream<Line>
  private let continuation: AsyncStream<Line>.Continuation

  init() {
    // Each caller waits for its line to be written, so there are never more lines than parts.
    (lines, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(1024))
  }

  /// Returns once the folder is ours. Throws when another stack keeps it.
  func waitUntilReady(folder: StackFolder) async throws {
    let isReady = try await withDeadline(.seconds(20)) {
      LocalStackError(.deadlineExceeded, part: "watchdog", "It did not start within 20 s; the machine may be overloaded.")
    } _: { [isReady] in
      try await isReady.get()
    }
    guard isReady else {
      throw LocalStackError(.unusable, part: "folder", "\(folder.path) is in use by another stack; end that one with `make down`.")
    }
  }

  /// Lists a process; returns once the watchdog is certain to read of it.
  func register(_ process: Int32, stopSignal: String) async throws { try await write("+ \(process) \(stopSignal)\n") }

  /// Takes a process that has ended off the list.
  func forget(_ process: Int32) async throws { try await write("- \(process)\n") }

  /// Lets `run` return once the watchdog has ended.
  func close() { continuation.finish() }

  private func write(_ text: String) async throws {
    let line = Line(text: text, written: Latch())
    guard case .enqueued = continuation.yield(line), try await line.written.get() else {
      throw LocalStackError(
        .ended, part: "watchdog", "It ended early, so nothing more can be started safely; stop the stack and start it anew.")
    }
  }

  /// Runs until `close`, or until the task is cancelled: then everything that is still listed is ended.
  /// If it cannot be started or ends early, `waitUntilReady` and `register` say so.
  func run(folder: StackFolder) async {
    var options = PlatformOptions()
    options.createSession = true  // a Ctrl-C in the terminal, or a signal to the parent's group, must not reach it
    options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(15))]
    defer { isReady.set(false) }
    _ = try? await Subprocess.run(
      .name("sh"), arguments: ["-c", Self.script, "watchdog", folder.lockFile, folder.isTemporary ? folder.path : ""],
      environment: .inherit, platformOptions: options, input: .inputWriter, output: .sequence, error: .discarded
    ) { execution in
      var answers = execution.standardOutput.strings().makeAsyncIterator()
      guard try await answers.next() == "ready" else { return }
      isReady.set(true)
      for await line in lines {
        let isWritten = (try? await execution.standardInputWriter.write(line.text)) != nil
        line.written.set(isWritten)
      }
      try await execution.standardInputWriter.finish()
    }
  }

  /// Servers such as PostgreSQL put each of their processes in a session of its own, so descendants are found by parenthood.
  private static let script = """
    trap '' HUP INT QUIT TERM
    exec 9>>"$1"
    flock -w 10 9 || exit 1
    echo ready
    listed=''
    while read -r change process signal; do
      if [ "$change" = + ]; then
        listed="$process:$signal $listed"
      else
        rest=''
        for entry in $listed; do
          [ "${entry%%:*}" = "$process" ] || rest="$rest $entry"
        done
        listed=$rest
      fi
    done
    tree() {
      echo "$1"
      for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done
    }
    any_alive() {
      for process in $all; do kill -0 "$process" 2>/dev/null && return 0; done
      return 1
    }
    all=$(for entry in $listed; do tree "${entry%%:*}"; done)
    for process in $all; do kill -CONT "$process" 2>/dev/null; done
    for entry in $listed; do kill -"${entry#*:}" "${entry%%:*}" 2>/dev/null; done
    tries=0
    while any_alive && [ $tries -lt 50 ]; do
      sleep 0.1
      tries=$((tries + 1))
    done
    for process in $all; do kill -KILL "$process" 2>/dev/null; done
    [ -z "$2" ] || rm -rf -- "$2"
    """
}
