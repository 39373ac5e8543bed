import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

@Suite struct AccountsTests {
  private let ann = User(id: "ann", name: "Ann", role: .viewer)
  private let bob = User(id: "bob", name: "Bob", role: .operator_)
  private let root = User(id: "root", name: "Root", role: .admin)

  private func cooker(owner: String = "ann", name: String = "Cooker", shares: [String: ShareRole] = [:]) throws -> Appliance {
    Appliance(id: try ApplianceID("EPIC-001"), ownerID: owner, dialect: .epicura, name: name, shares: shares)
  }

  @Test func `A plan holds what differs, and nothing when nothing does`() throws {
    let present = try Accounts(users: [ann, bob], appliances: [cooker(shares: ["bob": .account])])
    let renamed = User(id: "ann", name: "Anna", role: .admin)
    let wanted = try Accounts(users: [renamed, root], appliances: [cooker(owner: "bob", shares: ["ann": .operator_])])
    let plan = try AccountPlan(from: present, to: wanted)
    #expect(
      plan.changes.map(\.description) == [
        "~ user ann, name: Ann → Anna, role: viewer → admin", "+ user root (Root, admin)",
        "~ appliance EPIC-001, owner: ann → bob", "+ share of EPIC-001 with ann as operator", "- share of EPIC-001 with bob",
      ])
    #expect(try AccountPlan(from: present, to: present).changes.isEmpty)
  }

  @Test func `What cannot be is refused by name`() throws {
    let nobody = try Accounts(users: [], appliances: [])
    let stray = try Accounts(users: [ann], appliances: [cooker(shares: ["carl": .account])])
    let error = #expect(throws: StoreError.self) { try AccountPlan(from: nobody, to: stray) }
    #expect(
      error?.code == .invalidAccount && error?.description.contains("EPIC-001") == true && error?.description.contains("carl") == true)
    #expect(throws: StoreError.self) { try Accounts(users: [ann, ann], appliances: []) }
    #expect(throws: StoreError.self) { try Accounts(users: [User(id: "", name: "")], appliances: []) }
    #expect(throws: StoreError.self) { try Accounts(users: [User(id: "a\0", name: "")], appliances: []) }
    #expect(throws: StoreError.self) { try Accounts(users: [ann], appliances: [cooker(), cooker()]) }
  }

  @Test func `Only a camera is taken at its word, and a change of that is told`() throws {
    let id = try ApplianceID("cam-1")
    func camera(_ dialect: Dialect = .signaling, isOpen: Bool) -> Appliance {
      Appliance(id: id, ownerID: "ann", dialect: dialect, name: "Cam", acceptsUnproven: isOpen)
    }
    #expect(throws: StoreError.self) { try Accounts(users: [ann], appliances: [camera(.reefnet, isOpen: true)]) }
    let none = try Accounts(users: [ann], appliances: [])
    let open = try Accounts(users: [ann], appliances: [camera(isOpen: true)])
    let shut = try Accounts(users: [ann], appliances: [camera(isOpen: false)])
    let told = try [(none, open), (open, shut), (shut, open), (open, open)].map {
      try AccountPlan(from: $0, to: $1).changes.map(\.description)
    }
    #expect(
      told == [
        ["+ appliance cam-1 (Cam, signaling, of ann), accepts_unproven: false → true"],
        ["~ appliance cam-1, accepts_unproven: true → false"], ["~ appliance cam-1, accepts_unproven: false → true"], [],
      ])
    #expect(camera(isOpen: true).warning?.contains("cam-1") == true && camera(isOpen: false).warning == nil)
  }

  @Test func `An audit finds cameras that are taken at their word, appliances without a secret, and admins`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let store = AccountStore(PostgresPool(try postgres.configuration(), logger: quiet))
      func appliance(_ id: String, _ dialect: Dialect = .signaling, isOpen: Bool = false) throws -> Appliance {
        Appliance(id: try ApplianceID(id), ownerID: "ann", dialect: dialect, name: id, acceptsUnproven: isOpen)
      }
      let appliances = try [
        appliance("shut"), appliance("open", isOpen: true), appliance("secret"), appliance("open-secret", isOpen: true),
        appliance("heater", .reefnet), appliance("cooker", .epicura),
      ]
      #expect(try await store.findings(limit: 10).isEmpty)
      _ = try await store.apply(Accounts(users: [ann, bob, root], appliances: appliances))
      for id in ["secret", "open-secret"] {
        try await store.setDeviceSecret([UInt8](repeating: 7, count: 32), of: ApplianceID(id))
      }
      let found = try await store.findings(limit: 10)
      #expect(found.map(\.kind) == [.unprovenCamera, .noSecret, .noSecret, .admin])
      #expect(found.map(\.subject) == ["open", "heater", "shut", "root"])
      #expect(found.map(\.ownerID) == ["ann", "ann", "ann", nil])
      #expect(try await store.findings(limit: 1) == Array(found.prefix(1)))

      let cameras = WatchStore(PostgresPool(try postgres.configuration(.signaling), logger: quiet))
      for (id, needsNoProof) in [("open", true), ("shut", false), ("secret", false), ("open-secret", false), ("heater", false)] {
        #expect(try await cameras.camera(ApplianceID(id))?.needsNoProof == needsNoProof, "\(id)")
      }
      #expect(try await cameras.camera(ApplianceID("nothing")) == nil)
    }
  }

  @Test func `Applying twice changes once, and a dry run changes nothing`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let store = AccountStore(PostgresPool(try postgres.configuration(), logger: quiet))
      let wanted = try Accounts(users: [ann, bob, root], appliances: [cooker(shares: ["bob": .account])])
      let planned = try await store.apply(wanted, dryRun: true)
      #expect(try await store.accounts().users.isEmpty)
      #expect(try await store.apply(wanted) == planned && planned.count == 5)
      #expect(try await store.apply(wanted).isEmpty)
      #expect(try await store.accounts() == wanted)
      let changed = try Accounts(users: [], appliances: [cooker(owner: "bob", name: "New", shares: [:])])
      #expect(try await store.apply(changed).count == 2)
      #expect(try await store.accounts().users.count == 3)
    }
  }

  @Test func `Owners, admins and those it is shared with may do what they may with an appliance, nobody else anything`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let owner = AccountStore(PostgresPool(try postgres.configuration(), logger: quiet))
      let carl = User(id: "carl", name: "Carl", role: .operator_)
      let dora = User(id: "dora", name: "Dora", role: .viewer)
      let shared = try cooker(shares: ["bob": .account, "dora": .account])
      _ = try await owner.apply(Accounts(users: [ann, bob, root, carl, dora], appliances: [shared]))
      let store = AccountStore(PostgresPool(try postgres.configuration(.gateway), logger: quiet))
      let id = try ApplianceID("EPIC-001")
      let expected: [(String, UserRole?, Permission?)] = [
        ("ann", nil, .own), ("bob", nil, .operate), ("root", nil, .administer), ("dora", nil, .watch), ("carl", nil, nil),
        ("nobody", nil, nil), ("nobody", .admin, nil), ("ann\0", nil, nil), ("carl", .admin, .administer), ("root", .viewer, nil),
        ("bob", .viewer, .watch), ("dora", .operator_, .operate),
      ]
      for (user, role, permission) in expected {
        #expect(try await store.permission(of: user, as: role, on: id) == permission, "\(user) as \(String(describing: role))")
      }
      #expect(try await store.permission(of: "root", as: nil, on: ApplianceID("EPIC-002")) == nil)
      _ = try await owner.apply(Accounts(users: [], appliances: [cooker(shares: ["bob": .viewer, "dora": .operator_])]))
      #expect(try await store.permission(of: "bob", as: nil, on: id) == .watch)
      #expect(try await store.permission(of: "dora", as: nil, on: id) == .operate)
      #expect(try await store.account(of: "root") == Account(role: .admin))
      #expect(try await store.account(of: "nobody") == nil)
      #expect(try await !store.isRevoked(tokenID: "some"))
    }
  }
}
