import Testing

@testable import ServiceRuntime

@Suite struct `Readiness` {
  struct Broken: Error, CustomStringConvertible { let description = "Redis does not answer." }

  /// Runs `body` with a health whose checks can run.
  private func withHealth(_ body: (Health) async -> Void) async {
    let runner = DeadlineRunner()
    await withTaskGroup(of: Void.self) { group in
      group.addTask { await runner.run() }
      await body(Health(runner: runner))
      group.cancelAll()
    }
  }

  @Test func `a service is ready when it serves and every check succeeds`() async {
    await withHealth { health in
      health.addCheck("redis", deadline: .seconds(60)) {}
      #expect(await health.report() == HealthReport(status: "starting", checks: []))
      health.beginServing()
      let report = await health.report()
      #expect(report.isReady)
      #expect(report.checks.map(\.outcome) == [.ok])
    }
  }

  @Test func `a check that fails or hangs is named with its reason, in the order of registration`() async {
    await withHealth { health in
      health.addCheck("fails", deadline: .seconds(60)) { throw Broken() }
      health.addCheck("hangs", deadline: .milliseconds(20)) { try await Task.sleep(for: .seconds(3600)) }
      health.addCheck("works", deadline: .seconds(60)) {}
      health.beginServing()
      let report = await health.report()
      #expect(!report.isReady)
      #expect(report.checks.map(\.name) == ["fails", "hangs", "works"])
      #expect(report.checks.map(\.outcome) == [.failed, .timedOut, .ok])
      #expect(report.checks.map(\.reason) == ["Redis does not answer.", "no answer before the deadline", nil])
    }
  }

  @Test func `checks that hang do not pile up`() async {
    let started = AsyncStream.makeStream(of: Void.self)
    await withHealth { health in
      health.addCheck("hangs", deadline: .milliseconds(5)) {
        started.continuation.yield()
        try await Task.sleep(for: .seconds(3600))
      }
      health.beginServing()
      for _ in 0..<10 { #expect(await !health.report().isReady) }
    }
    started.continuation.finish()
    var count = 0
    for await _ in started.stream { count += 1 }
    #expect(count <= 4)
  }

  @Test func `a draining service is unready and asks nobody`() async {
    await withHealth { health in
      health.addCheck("asked") { Issue.record("a draining service asked") }
      health.beginServing()
      health.beginDraining()
      health.beginServing()
      #expect(await health.report() == HealthReport(status: "draining", checks: []))
    }
  }
}
