import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

/// What the API does with accounts, on a real PostgreSQL and with its rights.
@Suite struct AccountChangesTests {
  private let now = Timestamp.now()

  private func withStore(_ body: (AccountStore) async throws -> Void) async throws {
    try await withMigratedDatabase { postgres, _ in
      try await body(AccountStore(PostgresPool(try postgres.configuration(.api), logger: quiet)))
    }
  }

  private func code(_ body: () async throws -> Void) async -> StoreError.Code? {
    do {
      try await body()
      return nil
    } catch {
      return (error as? StoreError)?.code
    }
  }

  private func appliance(_ id: String, of owner: String, name: String = "", shares: [String: ShareRole] = [:]) throws -> Appliance {
    Appliance(id: try ApplianceID(id), ownerID: owner, dialect: .epicura, name: name, shares: shares)
  }

  @Test func `Users come, change and go, and each impossible thing is told apart`() async throws {
    try await withStore { store in
      let ann = User(id: "ann", name: "Ann", role: .viewer)
      try await store.createUser(ann, now: now)
      #expect(await code { try await store.createUser(ann, now: now) } == .alreadyExists)
      for user in [
        User(id: "", name: ""), User(id: "a\0", name: ""), User(id: String(repeating: "a", count: 129), name: ""),
        User(id: "b", name: "\n"),
      ] {
        #expect(await code { try await store.createUser(user, now: now) } == .invalidAccount)
      }
      let quoted = User(id: "'; DROP TABLE users; --", name: "Robert \"); --", role: .operator_)
      try await store.createUser(quoted, now: now)
      #expect(try await store.user(quoted.id) == quoted)
      try await store.updateUser(User(id: "ann", name: "Anna", role: .admin))
      #expect(try await store.user("ann") == User(id: "ann", name: "Anna", role: .admin))
      let second = Timestamp(microseconds: now.microseconds / 1_000_000 * 1_000_000)
      #expect(try await store.account(of: "ann") == Account(role: .admin, tokensValidFrom: second))
      #expect(await code { try await store.updateUser(User(id: "bob", name: "")) } == .notFound)
      for name in ["bob", "a\0"] {
        #expect(try await store.user(name) == nil)
        #expect(try await store.passwordHash(of: name) == nil)
        #expect(await code { try await store.deleteUser(name) } == .notFound)
        #expect(await code { try await store.setPasswordHash("x", of: name) } == .notFound)
      }
      #expect(try await store.passwordHash(of: "ann") == nil)
      try await store.setPasswordHash("one", of: "ann")
      try await store.setPasswordHash("two", of: "ann")
      #expect(try await store.passwordHash(of: "ann") == "two")
      try await store.createAppliance(appliance("EPIC-001", of: "ann"))
      #expect(await code { try await store.deleteUser("ann") } == .inUse)
      try await store.deleteAppliance(ApplianceID("EPIC-001"))
      try await store.deleteUser("ann")
      #expect(try await store.passwordHash(of: "ann") == nil)
    }
  }

  @Test func `Users are listed in pages, each once`() async throws {
    try await withStore { store in
      let ids = (0..<25).map { "user-\($0 < 10 ? "0" : "")\($0)" }
      for id in ids.shuffled() { try await store.createUser(User(id: id, name: id), now: now) }
      var listed: [String] = []
      while true {
        let page = try await store.users(after: listed.last, limit: 10)
        guard !page.isEmpty else { break }
        listed += page.map(\.id)
      }
      #expect(listed == ids)
    }
  }

  @Test func `Everyone sees their own appliances, those shared with them, and an admin all`() async throws {
    try await withStore { store in
      for (id, role) in [("ann", UserRole.viewer), ("bob", .operator_), ("carl", .viewer), ("root", .admin)] {
        try await store.createUser(User(id: id, name: id, role: role), now: now)
      }
      try await store.createAppliance(appliance("A", of: "ann", name: "First", shares: ["bob": .account, "carl": .operator_]))
      try await store.createAppliance(appliance("B", of: "bob", shares: ["ann": .viewer]))
      try await store.createAppliance(appliance("C", of: "carl"))
      #expect(await code { try await store.createAppliance(appliance("A", of: "bob")) } == .alreadyExists)
      #expect(await code { try await store.createAppliance(appliance("D", of: "nobody")) } == .notFound)
      #expect(await code { try await store.createAppliance(appliance("D", of: "ann", shares: ["nobody": .viewer])) } == .notFound)
      #expect(await code { try await store.createAppliance(appliance("D", of: "ann", shares: ["ann": .viewer])) } == .invalidAccount)
      #expect(await code { try await store.createAppliance(appliance("D", of: "ann\0")) } == .invalidAccount)

      let expected: [(String, UserRole?, [String: Permission])] = [
        ("ann", nil, ["A": .own, "B": .watch]), ("bob", nil, ["A": .operate, "B": .own]), ("carl", nil, ["A": .operate, "C": .own]),
        ("root", nil, ["A": .administer, "B": .administer, "C": .administer]), ("root", .viewer, [:]),
        ("ann", .admin, ["A": .administer, "B": .administer, "C": .administer]), ("nobody", nil, [:]), ("nobody", .admin, [:]),
        ("a\0", nil, [:]),
      ]
      for (user, role, permissions) in expected {
        var seen: [VisibleAppliance] = []
        while true {
          let page = try await store.appliances(visibleTo: user, as: role, after: seen.last?.id, limit: 2)
          seen += page
          guard page.count == 2 else { break }
        }
        #expect(seen.map(\.id.rawValue) == permissions.keys.sorted(), "\(user)")
        #expect(seen.allSatisfy { permissions[$0.id.rawValue] == $0.permission }, "\(user)")
        for id in ["A", "B", "C", "D"] {
          let id = try ApplianceID(id)
          let one = try await store.appliance(id, visibleTo: user, as: role)
          #expect(one?.permission == permissions[id.rawValue])
          #expect(try await store.permission(of: user, as: role, on: id) == permissions[id.rawValue])
        }
      }
      #expect(try await store.appliance(ApplianceID("A"), visibleTo: "bob")?.name == "First")
    }
  }

  @Test func `Sharing is changed and ended, and a new owner needs none`() async throws {
    try await withStore { store in
      for id in ["ann", "bob", "carl"] { try await store.createUser(User(id: id, name: id), now: now) }
      let id = try ApplianceID("A")
      try await store.createAppliance(appliance("A", of: "ann"))
      try await store.share(id, with: "bob", as: .account)
      try await store.share(id, with: "carl", as: .operator_)
      try await store.share(id, with: "bob", as: .viewer)
      #expect(try await store.shares(of: id) == ["bob": .viewer, "carl": .operator_])
      #expect(await code { try await store.share(id, with: "ann", as: .viewer) } == .invalidAccount)
      for name in ["nobody", "a\0"] {
        #expect(await code { try await store.share(id, with: name, as: .viewer) } == .notFound)
        #expect(await code { try await store.unshare(id, with: name) } == .notFound)
      }
      #expect(await code { try await store.share(try ApplianceID("B"), with: "bob", as: .viewer) } == .notFound)
      try await store.unshare(id, with: "carl")
      try await store.updateAppliance(appliance("A", of: "bob", name: "New"))
      #expect(try await store.shares(of: id).isEmpty)
      #expect(try await store.appliance(id, visibleTo: "bob")?.permission == .own)
      #expect(try await store.permission(of: "ann", as: nil, on: id) == nil)
      #expect(await code { try await store.updateAppliance(appliance("A", of: "nobody")) } == .notFound)
      #expect(await code { try await store.updateAppliance(appliance("B", of: "ann")) } == .notFound)
      try await store.deleteAppliance(id)
      #expect(await code { try await store.deleteAppliance(id) } == .notFound)
    }
  }
}
