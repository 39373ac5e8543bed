import Foundation
import Subprocess
import Testing

@testable import ServiceRuntime

@Suite(.timeLimit(.minutes(2))) struct `A service process` {
  @Test func `--help, --version and --check answer and exit`() async throws {
    let help = try await ServiceProcess.runToEnd(["--help"])
    #expect(help.status == .exited(0))
    for name in ["MARTLET_PROBE_BEHAVIOR", "MARTLET_ADMIN_PORT", "MARTLET_DRAIN_SECONDS", "MARTLET_CONFIG_FILE"] {
      #expect(help.output.contains("  \(name)\n"))
    }
    #expect(try await ServiceProcess.runToEnd(["--version"]).output == "probe \(BuildInfo.version)\n")
    let check = try await ServiceProcess.runToEnd(["--check"], ["MARTLET_PROBE_BEHAVIOUR": "obeys"])
    #expect(check.status == .exited(0))
    #expect(check.output == "probe: the configuration is valid\n")
    #expect(
      check.errors.contains(
        "MARTLET_PROBE_BEHAVIOUR is not a variable of this service and is ignored: did you mean MARTLET_PROBE_BEHAVIOR?"))
  }

  @Test(arguments: [[], ["--check"]])
  func `a configuration that cannot be used is one sentence and status 78`(_ arguments: [String]) async throws {
    let ended = try await ServiceProcess.runToEnd(arguments, ["MARTLET_ADMIN_PORT": "ninety"])
    #expect(ended.status == .exited(78))
    #expect(ended.errors == "probe: MARTLET_ADMIN_PORT is “ninety”, but wants a whole number from 0 to 65535.\n")
    let secret = try await ServiceProcess.runToEnd(arguments, ["MARTLET_PROBE_SECRET": "hush"])
    #expect(secret.status == .exited(78))
    #expect(secret.errors == "probe: MARTLET_PROBE_SECRET cannot be used, but wants at least 8 bytes.\n")
  }

  @Test func `it tells its health and metrics, and stops in reverse order on SIGTERM`() async throws {
    let ready = FileManager.default.temporaryDirectory.appending(path: "martlet-ready-\(UUID().uuidString)")
    try Data().write(to: ready)
    let secret = FileManager.default.temporaryDirectory.appending(path: "martlet-secret-\(UUID().uuidString)")
    try Data("long enough".utf8).write(to: secret)
    defer { for file in [ready, secret] { try? FileManager.default.removeItem(at: file) } }
    var runningCount = 0
    var port = ""
    let environment = ["MARTLET_PROBE_READY_FILE": ready.path, "MARTLET_PROBE_SECRET_FILE": secret.path]
    let (status, messages) = try await ServiceProcess.observe(environment) { record, signal in
      if let admin = record["admin_port"] { port = admin }
      runningCount += record["message"] == "part runs" ? 1 : 0
      guard record["message"] == "part runs", runningCount == 2 else { return }
      #expect(try await ServiceProcess.curl(port, "/livez") == ("200", "ok\n"))
      let health = try await ServiceProcess.curl(port, "/readyz")
      #expect(health.status == "200")
      #expect(health.body.contains(#""name":"file","outcome":"ok""#))
      #expect(try await ServiceProcess.curl(port, "/metrics").body.contains("\nmartlet_ready 1\n"))
      try FileManager.default.removeItem(at: ready)
      let unready = try await ServiceProcess.curl(port, "/readyz")
      #expect(unready.status == "503")
      #expect(unready.body.contains(#""reason":"The file that says ready is not there.""#))
      let metrics = try await ServiceProcess.curl(port, "/metrics")
      #expect(metrics.body.contains("\nmartlet_ready 0\n"))
      #expect(metrics.body.contains("\nprobe_starts_total{behavior=\"obeys\"} 1\n"))
      #expect(metrics.body.contains("\nmartlet_build_info{service=\"probe\","))
      #expect(metrics.body.contains("\nprocess_resident_memory_bytes "))
      for isUnusable in 0...1 {
        let metrics = try await ServiceProcess.curl(port, "/metrics").body
        #expect(metrics.contains("\nmartlet_secret_file_unusable{variable=\"MARTLET_PROBE_SECRET_FILE\"} \(isUnusable)\n"))
        try Data().write(to: secret)
      }
      #expect(try await ServiceProcess.curl(port, "/other").status == "404")
      try signal(.terminate)
    }
    #expect(status == .exited(0))
    #expect(messages.suffix(4) == ["draining", "part stopped second", "part stopped first", "stopped"])
  }

  @Test func `it raises the shell's limit of open files as far as it may`() async throws {
    var hard = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &hard)
    var port = ""
    let (status, _) = try await ServiceProcess.observe(softOpenFiles: 100) { record, signal in
      if let admin = record["admin_port"] { port = admin }
      guard record["message"] == "part runs", record["part"] == "second" else { return }
      let metrics = try await ServiceProcess.curl(port, "/metrics").body
      #expect(metrics.contains("\nprocess_max_fds \(hard.rlim_max)\n"))
      try signal(.terminate)
    }
    #expect(status == .exited(0))
  }

  @Test func `while it drains it is unready, alive and scrapable; a second signal ends it at once`() async throws {
    var port = ""
    var runningCount = 0
    let environment = ["MARTLET_PROBE_BEHAVIOR": "lingers", "MARTLET_DRAIN_SECONDS": "3600"]
    let (status, messages) = try await ServiceProcess.observe(environment) { record, signal in
      if let admin = record["admin_port"] { port = admin }
      runningCount += record["message"] == "part runs" ? 1 : 0
      if record["message"] == "part runs", runningCount == 2 { try signal(.interrupt) }
      guard record["message"] == "draining" else { return }
      var health = try await ServiceProcess.curl(port, "/readyz")
      // The record is written a moment before the phase changes.
      while health.status == "200" { health = try await ServiceProcess.curl(port, "/readyz") }
      #expect(health == ("503", #"{"checks":[],"status":"draining"}"# + "\n"))
      #expect(try await ServiceProcess.curl(port, "/livez").status == "200")
      #expect(try await ServiceProcess.curl(port, "/metrics").status == "200")
      try signal(.interrupt)
    }
    #expect(status == .exited(130))
    #expect(messages.last == "exiting at once")
  }

  @Test func `a drain is cut at its deadline`() async throws {
    var runningCount = 0
    let environment = ["MARTLET_PROBE_BEHAVIOR": "lingers", "MARTLET_DRAIN_SECONDS": "0.1"]
    let (status, messages) = try await ServiceProcess.observe(environment) { record, signal in
      runningCount += record["message"] == "part runs" ? 1 : 0
      if record["message"] == "part runs", runningCount == 2 { try signal(.terminate) }
    }
    #expect(status == .exited(1))
    #expect(messages.contains("part stopped first"))
    #expect(messages.last == "the drain was cut at its deadline")
  }

  @Test func `a part that does not even hear its cancellation is left behind`() async throws {
    var runningCount = 0
    let environment = ["MARTLET_PROBE_BEHAVIOR": "deaf", "MARTLET_DRAIN_SECONDS": "0.1"]
    let (status, messages) = try await ServiceProcess.observe(environment) { record, signal in
      runningCount += record["message"] == "part runs" ? 1 : 0
      if record["message"] == "part runs", runningCount == 2 { try signal(.terminate) }
    }
    #expect(status == .exited(1))
    #expect(messages.last == "a part of the service did not stop at the drain's deadline: exiting without it")
  }

  @Test func `a part that fails ends the service with its sentence, the others in order`() async throws {
    let (status, messages) = try await ServiceProcess.observe(["MARTLET_PROBE_BEHAVIOR": "breaks"]) { _, _ in }
    #expect(status == .exited(1))
    #expect(messages.contains("part stopped first"))
    #expect(messages.last == "The probe was told to break.")
  }

  @Test func `what cannot be built is one sentence, and nothing was started`() async throws {
    let (status, messages) = try await ServiceProcess.observe(["MARTLET_PROBE_BEHAVIOR": "refuses"]) { _, _ in }
    #expect(status == .exited(1))
    #expect(messages == ["The probe was told to refuse to start."])
  }

  @Test func `a port in use and an address that is not here are named, and nothing was started`() async throws {
    var port = ""
    _ = try await ServiceProcess.observe { record, signal in
      if let admin = record["admin_port"] { port = admin }
      guard record["message"] == "part runs", record["part"] == "second" else { return }
      let second = try await ServiceProcess.observe(["MARTLET_ADMIN_PORT": port]) { _, _ in }
      #expect(second.status == .exited(1))
      #expect(
        second.messages == [
          "Cannot listen on 127.0.0.1:\(port): another process does already; stop it, or choose another port with "
            + "MARTLET_ADMIN_HOST and MARTLET_ADMIN_PORT."
        ])
      try signal(.terminate)
    }
    let foreign = try await ServiceProcess.observe(["MARTLET_ADMIN_HOST": "192.0.2.1"]) { _, _ in }
    #expect(foreign.status == .exited(1))
    #expect(foreign.messages.count == 1)
    #expect(foreign.messages.first?.contains("is not an address of this machine; check MARTLET_ADMIN_HOST") == true)
  }
}
