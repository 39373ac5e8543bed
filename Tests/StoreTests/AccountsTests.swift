import LocalStack
import Models
import PostgresClient
import Testing

@testable import Store

@Suite struct AccountsTests {
  private let ann = User(id: "ann", name: "Ann", role: .viewer)
  private let bob = User(id: "bob", name: "Bob", role: .operator_)
  private let root = User(id: "root", name: "Root", role: .admin)

  private func cooker(owner: String = "ann", name: String = "Cooker", sharedWith: Set<String> = []) throws -> Appliance {
    Appliance(id: try ApplianceID("EPIC-001"), ownerID: owner, dialect: .epicura, name: name, sharedWith: sharedWith)
  }

  @Test func `A plan holds what differs, and nothing when nothing does`() throws {
    let present = try Accounts(users: [ann, bob], appliances: [cooker(sharedWith: ["bob"])])
    let renamed = User(id: "ann", name: "Anna", role: .admin)
    let wanted = try Accounts(users: [renamed, root], appliances: [cooker(owner: "bob", sharedWith: ["ann"])])
    let plan = try AccountPlan(from: present, to: wanted)
    #expect(
      plan.changes.map(\.description) == [
        "~ user ann, name: Ann → Anna, role: viewer → admin", "+ user root (Root, admin)",
        "~ appliance EPIC-001, owner: ann → bob", "+ share of EPIC-001 with ann", "- share of EPIC-001 with bob",
      ])
    #expect(try AccountPlan(from: present, to: present).changes.isEmpty)
  }

  @Test func `What cannot be is refused by name`() throws {
    let nobody = try Accounts(users: [], appliances: [])
    let stray = try Accounts(users: [ann], appliances: [cooker(sharedWith: ["carl"])])
    let error = #expect(throws: StoreError.self) { try AccountPlan(from: nobody, to: stray) }
    #expect(
      error?.code == .invalidAccount && error?.description.contains("EPIC-001") == true && error?.description.contains("carl") == true)
    #expect(throws: StoreError.self) { try Accounts(users: [ann, ann], appliances: []) }
    #expect(throws: StoreError.self) { try Accounts(users: [User(id: "", name: "")], appliances: []) }
    #expect(throws: StoreError.self) { try Accounts(users: [User(id: "a\0", name: "")], appliances: []) }
    #expect(throws: StoreError.self) { try Accounts(users: [ann], appliances: [cooker(), cooker()]) }
  }

  @Test func `Applying twice changes once, and a dry run changes nothing`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let store = AccountStore(PostgresPool(try postgres.configuration(), logger: quiet))
      let wanted = try Accounts(users: [ann, bob, root], appliances: [cooker(sharedWith: ["bob"])])
      let planned = try await store.apply(wanted, dryRun: true)
      #expect(try await store.accounts().users.isEmpty)
      #expect(try await store.apply(wanted) == planned && planned.count == 5)
      #expect(try await store.apply(wanted).isEmpty)
      #expect(try await store.accounts() == wanted)
      let changed = try Accounts(users: [], appliances: [cooker(owner: "bob", name: "New", sharedWith: [])])
      #expect(try await store.apply(changed).count == 2)
      #expect(try await store.accounts().users.count == 3)
    }
  }

  @Test func `Owners, admins and those it is shared with may watch an appliance, nobody else`() async throws {
    try await withMigratedDatabase { postgres, _ in
      let owner = AccountStore(PostgresPool(try postgres.configuration(), logger: quiet))
      let carl = User(id: "carl", name: "Carl", role: .operator_)
      _ = try await owner.apply(Accounts(users: [ann, bob, root, carl], appliances: [cooker(sharedWith: ["bob"])]))
      let store = AccountStore(PostgresPool(try postgres.configuration(.gateway), logger: quiet))
      let id = try ApplianceID("EPIC-001")
      for (user, may) in [("ann", true), ("bob", true), ("root", true), ("carl", false), ("nobody", false), ("ann\0", false)] {
        #expect(try await store.mayWatch(userID: user, appliance: id) == may, "\(user)")
      }
      #expect(try await !store.mayWatch(userID: "root", appliance: ApplianceID("EPIC-002")))
      #expect(try await store.userExists("ann"))
      #expect(try await !store.userExists("nobody"))
    }
  }
}
