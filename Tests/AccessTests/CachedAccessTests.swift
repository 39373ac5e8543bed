import Access
import Models
import Store
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

    func account(of userID: String) async throws -> Account? { try ask() ? Account(role: .viewer) : nil }
    func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission? {
      try ask() ? .watch : nil
    }
    func appliances(of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int) async throws -> [PermittedAppliance] {
      try ask() ? [PermittedAppliance(ApplianceID("A"), .watch)] : []
    }
    func isRevoked(tokenID: String) async throws -> Bool { try ask() }

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
    for _ in 0..<5 { #expect(try await access.permission(of: "u", as: nil, on: appliance) == .watch) }
    #expect(directory.state.withLock { $0.questions } == 1)
    clock.advance(by: .seconds(31))
    directory.state.withLock { $0.answer = false }
    #expect(try await access.permission(of: "u", as: nil, on: appliance) == nil)
    #expect(directory.state.withLock { $0.questions } == 2)
  }

  @Test func `Users, appliances, roles and tokens are different questions`() async throws {
    let access = access
    #expect(try await access.account(of: "u") != nil)
    directory.state.withLock { $0.answer = false }
    #expect(try await access.account(of: "v") == nil)
    #expect(try await access.permission(of: "u", as: nil, on: try ApplianceID("A")) == nil)
    #expect(try await access.permission(of: "u", as: .admin, on: try ApplianceID("A")) == nil)
    directory.state.withLock { $0.answer = true }
    #expect(try await access.permission(of: "u", as: nil, on: try ApplianceID("A")) == nil)
    #expect(try await access.permission(of: "u", as: .operator_, on: try ApplianceID("A")) == .watch)
    #expect(try await access.isRevoked(tokenID: "u"))
    #expect(try await access.account(of: "u") != nil)
  }

  @Test func `A change makes anew what it concerns, and nothing else`() async throws {
    let access = access
    let (a, b) = (try ApplianceID("A"), try ApplianceID("B"))
    /// How many of the six questions are asked anew.
    func asked() async throws -> Int {
      let before = directory.state.withLock { $0.questions }
      for user in ["u", "v"] { _ = try await access.account(of: user) }
      for (user, appliance) in [("u", a), ("v", b)] { _ = try await access.permission(of: user, as: nil, on: appliance) }
      for token in ["t", "s"] { _ = try await access.isRevoked(tokenID: token) }
      return directory.state.withLock { $0.questions } - before
    }
    #expect(try await asked() == 6)
    #expect(try await asked() == 0)
    for (change, count) in [
      (AccessChange.user("u"), 2), (.appliance(a), 1), (.token("t", ofUser: "u"), 1), (.user("nobody"), 0), (.everything, 6),
    ] {
      access.invalidate(change)
      #expect(try await asked() == count, "\(change)")
    }
  }

  @Test func `A directory that is down is bridged by old answers, for a while`() async throws {
    let access = access
    #expect(try await access.account(of: "u") != nil)
    directory.state.withLock { $0.isDown = true }
    clock.advance(by: .seconds(600))
    #expect(try await access.account(of: "u") != nil)
    await #expect(throws: Unreachable.self) { try await access.account(of: "stranger") }
    clock.advance(by: .seconds(301))
    await #expect(throws: Unreachable.self) { try await access.account(of: "u") }
  }

  @Test func `A directory that has just failed is not asked again for what is known`() async throws {
    let access = access
    #expect(try await access.account(of: "u") != nil)
    clock.advance(by: .seconds(60))
    directory.state.withLock { $0.isDown = true }
    for _ in 0..<5 { #expect(try await access.account(of: "u") != nil) }
    #expect(directory.state.withLock { $0.questions } == 2)
    clock.advance(by: .seconds(6))
    directory.state.withLock { ($0.isDown, $0.answer) = (false, false) }
    #expect(try await access.account(of: "u") == nil)
  }

  @Test func `Invalidation forgets every answer, also as a bridge`() async throws {
    let access = access
    #expect(try await access.account(of: "u") != nil)
    access.invalidate()
    directory.state.withLock { $0.isDown = true }
    await #expect(throws: Unreachable.self) { try await access.account(of: "u") }
  }
}
