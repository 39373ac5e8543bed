import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

/// Refresh tokens on a real PostgreSQL, with the rights of the API.
@Suite struct RefreshTests {
  private let now = Timestamp.now()
  private let month = Duration.seconds(30 * 86_400)

  private func hash(_ number: UInt8) -> [UInt8] { [UInt8](repeating: number, count: 32) }

  private func withStore(_ body: (AccountStore, PostgresConnection) async throws -> Void) async throws {
    try await withMigratedDatabase { postgres, owner in
      let store = AccountStore(PostgresPool(try postgres.configuration(.api), limits: .init(connectionsMax: 8), logger: quiet))
      try await store.createUser(User(id: "ann", name: "Ann"), now: now)
      try await body(store, owner)
    }
  }

  @Test func `A token is good for one use, and the one after it for one more`() async throws {
    try await withStore { store, _ in
      try await store.beginRefresh(hash(1), of: "ann", now: now, lifetime: month)
      for number in UInt8(1)...5 {
        #expect(try await store.rotateRefresh(hash(number), to: hash(number + 1), now: now, lifetime: month) == .rotated(userID: "ann"))
      }
      #expect(try await store.rotateRefresh(hash(99), to: hash(100), now: now, lifetime: month) == .refused)
    }
  }

  @Test func `A replayed token revokes its whole family, and no other`() async throws {
    try await withStore { store, _ in
      try await store.beginRefresh(hash(1), of: "ann", now: now, lifetime: month)
      try await store.beginRefresh(hash(11), of: "ann", now: now, lifetime: month)
      for number in UInt8(1)...2 { _ = try await store.rotateRefresh(hash(number), to: hash(number + 1), now: now, lifetime: month) }
      #expect(try await store.rotateRefresh(hash(1), to: hash(50), now: now, lifetime: month) == .replayed(userID: "ann"))
      for number: UInt8 in [1, 2, 3, 50] {
        #expect(try await store.rotateRefresh(hash(number), to: hash(60), now: now, lifetime: month) == .refused, "\(number)")
      }
      #expect(try await store.rotateRefresh(hash(11), to: hash(12), now: now, lifetime: month) == .rotated(userID: "ann"))
    }
  }

  @Test func `Of many that come with one token at once, one gets the new one, and it is worth nothing then`() async throws {
    try await withStore { store, owner in
      for round in UInt8(0)..<10 {
        let first = [round] + [UInt8](repeating: 1, count: 31)
        try await store.beginRefresh(first, of: "ann", now: now, lifetime: month)
        let outcomes = try await withThrowingTaskGroup(of: RefreshOutcome.self) { group in
          for number in UInt8(0)..<8 {
            let next = [round, number] + [UInt8](repeating: 2, count: 30)
            group.addTask { try await store.rotateRefresh(first, to: next, now: now, lifetime: month) }
          }
          return try await group.reduce(into: [RefreshOutcome]()) { $0.append($1) }
        }
        #expect(outcomes.count { $0 == .rotated(userID: "ann") } == 1)
        #expect(outcomes.count { $0 == .replayed(userID: "ann") } == 1)
        #expect(outcomes.count { $0 == .refused } == 6)
      }
      let alive = try await owner.query(
        "SELECT count(*) FROM refresh_families WHERE revoked_at IS NULL"
      ).decode(Int.self)
      #expect(alive == [0])
    }
  }

  @Test func `A rotation and the replay of an older token, at once, never leave a token that lives`() async throws {
    try await withStore { store, _ in
      for round in UInt8(0)..<20 {
        func hash(_ number: UInt8) -> [UInt8] { [round, number] + [UInt8](repeating: 3, count: 30) }
        let (first, second, third, stray) = (hash(1), hash(2), hash(3), hash(4))
        try await store.beginRefresh(first, of: "ann", now: now, lifetime: month)
        _ = try await store.rotateRefresh(first, to: second, now: now, lifetime: month)
        async let honest = store.rotateRefresh(second, to: third, now: now, lifetime: month)
        async let replay = store.rotateRefresh(first, to: stray, now: now, lifetime: month)
        let outcomes = try await (honest, replay)
        #expect(outcomes.1 == .replayed(userID: "ann"))
        #expect(try await store.rotateRefresh(third, to: hash(5), now: now, lifetime: month) == .refused, "\(outcomes)")
      }
    }
  }

  @Test func `Expiry, logout, a revocation of all, and the user's end each end a family`() async throws {
    try await withStore { store, owner in
      for number: UInt8 in [1, 11, 21, 31] { try await store.beginRefresh(hash(number), of: "ann", now: now, lifetime: month) }
      let late = now + month + .seconds(1)
      #expect(try await store.rotateRefresh(hash(1), to: hash(2), now: late, lifetime: month) == .refused)
      _ = try await store.rotateRefresh(hash(11), to: hash(12), now: now, lifetime: month)
      try await store.endRefresh(hash(12), now: now)
      try await store.endRefresh(hash(99), now: now)
      #expect(try await store.rotateRefresh(hash(12), to: hash(13), now: now, lifetime: month) == .refused)
      #expect(try await store.rotateRefresh(hash(21), to: hash(22), now: now, lifetime: month) == .rotated(userID: "ann"))
      try await store.revokeTokens(of: "ann", now: now)
      #expect(try await store.rotateRefresh(hash(22), to: hash(23), now: now, lifetime: month) == .refused)
      #expect(try await store.account(of: "ann")?.tokensValidFrom == now)
      try await store.revokeTokens(of: "ann", now: now + .seconds(-60))
      #expect(try await store.account(of: "ann")?.tokensValidFrom == now, "it never goes back")
      try await store.beginRefresh(hash(41), of: "ann", now: now, lifetime: month)
      try await store.deleteUser("ann")
      #expect(try await store.rotateRefresh(hash(41), to: hash(42), now: now, lifetime: month) == .refused)
      #expect(try await owner.query("SELECT count(*) FROM refresh_tokens").decode(Int.self) == [0])
      for name in ["ann", "a\0b"] {
        let error = await #expect(throws: StoreError.self) { try await store.beginRefresh(hash(51), of: name, now: now, lifetime: month) }
        #expect(error?.code == .notFound)
        await #expect(throws: StoreError.self) { try await store.revokeTokens(of: name, now: now) }
      }
    }
  }

  @Test func `What has run out is removed a day later, and nothing else`() async throws {
    try await withStore { store, _ in
      try await store.beginRefresh(hash(1), of: "ann", now: now, lifetime: .seconds(60))
      try await store.beginRefresh(hash(2), of: "ann", now: now, lifetime: month)
      try await store.revokeToken("short", of: "ann", expiresAt: now + .seconds(60))
      try await store.revokeToken("short", of: "ann", expiresAt: now + .seconds(60))
      try await store.revokeToken("long", of: "gone", expiresAt: now + month)
      #expect(try await store.isRevoked(tokenID: "short"))
      #expect(try await store.removeExpiredTokens(now: now + .seconds(86_000)) == 0)
      #expect(try await store.removeExpiredTokens(now: now + .seconds(86_500)) == 2)
      #expect(try await !store.isRevoked(tokenID: "short"))
      #expect(try await store.isRevoked(tokenID: "long"))
      #expect(try await store.rotateRefresh(hash(2), to: hash(3), now: now, lifetime: month) == .rotated(userID: "ann"))
    }
  }
}
