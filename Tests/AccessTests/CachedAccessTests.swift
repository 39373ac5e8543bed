import Access
import Models
import Synchronization
import Testing

@Suite struct CachedAccessTests {
  private struct Unreachable: Error {}

  /// A directory whose answer and health a test sets, and which counts what it was asked.
  private final class Directory: AccessDirectory {
    struct State {
      var answer = true
      var isDown = false
      var questions = 0
    }
    let state = Mutex(State())

    func userExists(_ userID: String) async throws -> Bool { try ask() }
    func mayWatch(userID: String, appliance: ApplianceID) async throws -> Bool { try ask() }

    private func ask() throws -> Bool {
      try state.withLock {
        $0.questions += 1
        if $0.isDown { throw Unreachable() }
        return $0.answer
      }
    }
  }

  private final class Clock: Sendable {
    private let instant = Mutex(ContinuousClock.now)
    var now: ContinuousClock.Instant { instant.withLock { $0 } }
    func advance(by duration: Duration) { instant.withLock { $0 += duration } }
  }

  private let directory = Directory()
  private let clock = Clock()
  private var access: CachedAccess {
    CachedAccess(directory, freshFor: .seconds(30), servedFor: .seconds(900), now: { [clock] in clock.now })
  }

  @Test func `An answer is asked once while it is fresh`() async throws {
    let access = access
    let appliance = try ApplianceID("A")
    for _ in 0..<5 { #expect(try await access.mayWatch(userID: "u", appliance: appliance)) }
    #expect(directory.state.withLock { $0.questions } == 1)
    clock.advance(by: .seconds(31))
    directory.state.withLock { $0.answer = false }
    #expect(try await !access.mayWatch(userID: "u", appliance: appliance))
    #expect(directory.state.withLock { $0.questions } == 2)
  }

  @Test func `Users and appliances are different questions`() async throws {
    let access = access
    #expect(try await access.userExists("u"))
    directory.state.withLock { $0.answer = false }
    #expect(try await !access.userExists("v"))
    #expect(try await !access.mayWatch(userID: "u", appliance: try ApplianceID("A")))
    #expect(try await access.userExists("u"))
  }

  @Test func `A directory that is down is bridged by old answers, for a while`() async throws {
    let access = access
    #expect(try await access.userExists("u"))
    directory.state.withLock { $0.isDown = true }
    clock.advance(by: .seconds(600))
    #expect(try await access.userExists("u"))
    await #expect(throws: Unreachable.self) { try await access.userExists("stranger") }
    clock.advance(by: .seconds(301))
    await #expect(throws: Unreachable.self) { try await access.userExists("u") }
  }

  @Test func `A directory that has just failed is not asked again for what is known`() async throws {
    let access = access
    #expect(try await access.userExists("u"))
    clock.advance(by: .seconds(60))
    directory.state.withLock { $0.isDown = true }
    for _ in 0..<5 { #expect(try await access.userExists("u")) }
    #expect(directory.state.withLock { $0.questions } == 2)
    clock.advance(by: .seconds(6))
    directory.state.withLock { ($0.isDown, $0.answer) = (false, false) }
    #expect(try await !access.userExists("u"))
  }

  @Test func `Invalidation forgets every answer, also as a bridge`() async throws {
    let access = access
    #expect(try await access.userExists("u"))
    access.invalidate()
    directory.state.withLock { $0.isDown = true }
    await #expect(throws: Unreachable.self) { try await access.userExists("u") }
  }
}
