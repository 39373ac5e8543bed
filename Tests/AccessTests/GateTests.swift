import LocalStack
import Models
import PostgresClient
import Store
import Synchronization
import Testing

@testable import Access

/// The gates on a real PostgreSQL, with the rights of the API.
@Suite struct GateTests {
  private struct Scene: Sendable {
    let store: AccountStore
    let access: CachedAccess
    let users: AccessGate
    let devices: DeviceGate
    let issuer: TokenIssuer
    let appliance: ApplianceID

    func token(_ user: String, now: Timestamp = .now(), lifetime: Duration = .seconds(900)) async throws -> String {
      try await issuer.issue(userID: user, now: now, lifetime: lifetime)
    }

    func principal(_ user: String) async throws -> Principal {
      guard case .admitted(let principal) = await users.admit(try await token(user)) else { throw Keys.Missing() }
      return principal
    }
  }

  private func withScene(_ body: (Scene) async throws -> Void) async throws {
    try await LocalStack.run(LocalStackConfiguration([.postgres])) { stack in
      let postgres = try stack.postgres
      let owner = try PostgresConfiguration(url: postgres.url(.owner), password: postgres.password(.owner))
      _ = try await Migrator().migrate(PostgresConnection.connect(owner, logger: quiet))
      try await postgres.grantLogins()
      let api = try PostgresConfiguration(url: postgres.url(.api), password: postgres.password(.api))
      let store = AccountStore(PostgresPool(api, logger: quiet))
      let appliance = try ApplianceID("EPIC-001")
      let people = [
        User(id: "owner", name: "Owner"), User(id: "viewer", name: "V"), User(id: "operator", name: "O"),
        User(id: "admin", name: "A", role: .admin),
        User(id: "stranger", name: "S", role: .operator_),
      ]
      _ = try await store.apply(
        Accounts(
          users: people,
          appliances: [
            Appliance(id: appliance, ownerID: "owner", dialect: .epicura, name: "", shares: ["viewer": .account, "operator": .operator_])
          ]))
      let access = CachedAccess(store)
      let verifier = await TokenVerifier(secret: try Keys.secret)
      try await body(
        Scene(
          store: store, access: access, users: AccessGate(verifier: verifier, directory: access),
          devices: DeviceGate(verifier: verifier, directory: store), issuer: TokenIssuer(secret: try Keys.secret), appliance: appliance))
    }
  }

  @Test func `Each user may do what the ties to an appliance allow, and unknown and foreign appliances are one and the same`() async throws
  {
    try await withScene { scene in
      let expected: [(String, AccessGate.Grant)] = [
        ("owner", .granted(.own)), ("viewer", .granted(.watch)), ("operator", .granted(.operate)), ("admin", .granted(.administer)),
        ("stranger", .refused),
      ]
      for (user, grant) in expected {
        let principal = try await scene.principal(user)
        #expect(await scene.users.permission(of: principal, on: scene.appliance) == grant, "\(user)")
        #expect(await scene.users.permission(of: principal, on: try ApplianceID("EPIC-404")) == .refused, "\(user)")
      }
      let foreign = Principal(subject: "stranger", role: .admin, expiresAt: .now() + .seconds(60))
      #expect(await scene.users.permission(of: foreign, on: scene.appliance) == .granted(.administer))
      #expect(await scene.users.role(of: foreign) == .admin)
      #expect(await scene.users.role(of: try scene.principal("stranger")) == .operator_)
      #expect(await scene.users.role(of: Principal(subject: "nobody", expiresAt: .now())) == nil)
    }
  }

  @Test func `Who is expired, revoked or deleted does not come in, and is found out when already in`() async throws {
    try await withScene { scene in
      let (gate, store) = (scene.users, scene.store)
      #expect(await gate.admit(nil) == .refused(.authenticationRequired))
      #expect(await gate.admit("") == .refused(.authenticationRequired))
      #expect(await gate.admit(try await scene.token("owner", now: .now() + .seconds(-1000))) == .refused(.invalidOrExpiredToken))
      #expect(await gate.admit(try await scene.token("nobody")) == .refused(.userNotFound))

      let (token, other) = (try await scene.token("viewer"), try await scene.token("viewer", now: .now() + .seconds(-5)))
      guard case .admitted(let principal) = await gate.admit(token), case .admitted(let neighbour) = await gate.admit(other) else {
        Issue.record("a good token is not admitted")
        return
      }
      #expect(await gate.recheck(principal, [scene.appliance]) == .init(permissions: [scene.appliance: .watch]))
      try await store.revokeToken(try #require(principal.tokenID), of: "viewer", expiresAt: principal.expiresAt)
      scene.access.invalidate()
      #expect(await gate.admit(token) == .refused(.tokenRevoked))
      #expect(await gate.recheck(principal, [scene.appliance]) == .init(refusal: .tokenRevoked, lost: [scene.appliance]))
      #expect(await gate.recheck(neighbour, [scene.appliance]) == .init(permissions: [scene.appliance: .watch]))

      try await store.unshare(scene.appliance, with: "viewer")
      scene.access.invalidate()
      #expect(await gate.recheck(neighbour, [scene.appliance]) == .init(lost: [scene.appliance]))

      let revokedAt = Timestamp.now()
      try await store.revokeTokens(of: "viewer", now: revokedAt)
      scene.access.invalidate()
      #expect(await gate.recheck(neighbour, []) == .init(refusal: .tokenRevoked))
      #expect(await gate.admit(try await scene.token("viewer", now: revokedAt + .microseconds(-1))) == .refused(.tokenRevoked))
      guard case .admitted = await gate.admit(try await scene.token("viewer", now: revokedAt)) else {
        Issue.record("a token of the moment of the revocation is not admitted")
        return
      }
      let undated = try await Keys.hs256(["sub": "viewer", "exp": (Timestamp.now() + .seconds(60)).seconds])
      #expect(await gate.admit(undated) == .refused(.tokenRevoked))

      try await store.deleteUser("viewer")
      scene.access.invalidate()
      #expect(await gate.recheck(neighbour, []) == .init(refusal: .userNotFound))
      try await store.createUser(User(id: "viewer", name: "Another"), now: .now())
      scene.access.invalidate()
      #expect(await gate.admit(other) == .refused(.tokenRevoked), "the name was given to somebody else")
    }
  }

  @Test func `A device comes in by its secret or its token, and by nobody else's`() async throws {
    try await withScene { scene in
      let (gate, store, appliance) = (scene.devices, scene.store, scene.appliance)
      let (secret, stranger) = (OpaqueSecret(), OpaqueSecret())
      let other = try ApplianceID("EPIC-002")
      try await store.createAppliance(Appliance(id: other, ownerID: "owner", dialect: .epicura, name: ""))
      #expect(await gate.admit(appliance, credential: secret.text) == .refused(.invalidOrExpiredToken))
      try await store.setDeviceSecret(secret.hash, of: appliance)
      #expect(await gate.admit(appliance, credential: secret.text) == .admitted(.endless(appliance.rawValue)))
      let now = Timestamp.now()
      let token = try await scene.issuer.issue(device: appliance, now: now, lifetime: .seconds(60))
      for admission in [await gate.admit(appliance, credential: token), await gate.admit(token: token)] {
        guard case .admitted(let principal) = admission else {
          Issue.record("a good token is not admitted")
          return
        }
        #expect(principal.subject == appliance.rawValue && !principal.isEndless)
        #expect(principal.expiresAt > now + .seconds(58) && principal.expiresAt < now + .seconds(62))
      }

      let user = try await scene.token("owner")
      let unknown = try await scene.issuer.issue(device: ApplianceID("EPIC-404"), now: .now(), lifetime: .seconds(60))
      let ofNobody = try await Keys.hs256(["sub": "not an id", "exp": (Timestamp.now() + .seconds(60)).seconds, "use": "device"])
      for credential in [stranger.text, secret.text + "A", String(secret.text.dropLast()), user, unknown, ofNobody, "..", "a.b.c"] {
        #expect(await gate.admit(appliance, credential: credential) == .refused(.invalidOrExpiredToken), "\(credential)")
      }
      #expect(await gate.admit(other, credential: secret.text) == .refused(.invalidOrExpiredToken))
      #expect(await gate.admit(other, credential: token) == .refused(.invalidOrExpiredToken))
      #expect(await gate.admit(try ApplianceID("EPIC-404"), credential: secret.text) == .refused(.invalidOrExpiredToken))
      #expect(await gate.admit(appliance, credential: nil) == .refused(.authenticationRequired))
      #expect(await gate.admit(token: nil) == .refused(.authenticationRequired))
      #expect(await scene.users.admit(token) == .refused(.invalidOrExpiredToken))
      #expect(await scene.users.admit(secret.text) == .refused(.invalidOrExpiredToken))

      try await store.setDeviceSecret(stranger.hash, of: appliance)
      #expect(await gate.admit(appliance, credential: secret.text) == .refused(.invalidOrExpiredToken))
      try await store.setDeviceSecret(nil, of: appliance)
      #expect(await gate.admit(appliance, credential: stranger.text) == .refused(.invalidOrExpiredToken))
      try await store.deleteAppliance(appliance)
      #expect(await gate.admit(token: token) == .refused(.invalidOrExpiredToken))
      let missing = await #expect(throws: StoreError.self) { try await store.setDeviceSecret(secret.hash, of: appliance) }
      #expect(missing?.code == .notFound)
    }
  }

  @Test func `A device of a dialect comes in by its token, or by its name and its secret, and only there`() async throws {
    try await withScene { scene in
      let (gate, store, secret) = (scene.devices, scene.store, OpaqueSecret())
      let lab = try ApplianceID("LAB-1")
      try await store.createAppliance(Appliance(id: lab, ownerID: "owner", dialect: .webmacs, name: ""))
      try await store.setDeviceSecret(secret.hash, of: lab)
      func admission(_ name: String?, _ credential: String?, _ dialect: Dialect = .webmacs) async -> AccessGate.Admission {
        await gate.admit(name, credential: credential, speaking: dialect)
      }
      func token(_ id: ApplianceID) async throws -> String {
        try await scene.issuer.issue(device: id, now: .now(), lifetime: .seconds(60))
      }
      let good = try await token(lab)
      for name in [nil, "LAB-1"] {
        guard case .admitted(let principal) = await admission(name, good) else {
          Issue.record("a good token is not admitted")
          return
        }
        #expect(principal.subject == "LAB-1" && principal.expiresAt < .now() + .seconds(61))
      }
      #expect(await admission("LAB-1", secret.text) == .admitted(.endless("LAB-1")))
      #expect(await admission(nil, secret.text) == .refused(.invalidOrExpiredToken), "a secret names nobody")
      #expect(await admission("LAB-2", good) == .refused(.invalidOrExpiredToken))
      #expect(await admission("no id \0", secret.text) == .refused(.invalidOrExpiredToken))
      #expect(await admission("LAB-1", OpaqueSecret().text) == .refused(.invalidOrExpiredToken))
      #expect(await admission(nil, try await scene.token("owner")) == .refused(.invalidOrExpiredToken))
      #expect(await admission(nil, nil) == .refused(.authenticationRequired))
      #expect(await admission("LAB-1", "") == .refused(.authenticationRequired))
      #expect(await admission(nil, good, .reefnet) == .refused(.userNotFound))
      #expect(await admission(nil, try await token(scene.appliance)) == .refused(.userNotFound), "it is no lab controller")
      #expect(await admission(nil, try await token(ApplianceID("LAB-404"))) == .refused(.userNotFound))
      try await store.deleteAppliance(lab)
      #expect(await admission(nil, good) == .refused(.userNotFound))
    }
  }

  @Test func `A directory that cannot be asked is told apart from a refusal`() async throws {
    struct Down: Error {}
    struct Nobody: AccessDirectory, DeviceDirectory {
      func account(of userID: String) async throws -> Account? { throw Down() }
      func permission(of userID: String, as role: UserRole?, on appliance: ApplianceID) async throws -> Permission? { throw Down() }
      func appliances(of dialect: Dialect, visibleTo userID: String, as role: UserRole?, limit: Int) async throws -> [PermittedAppliance] {
        throw Down()
      }
      func isRevoked(tokenID: String) async throws -> Bool { throw Down() }
      func device(_ appliance: ApplianceID) async throws -> Device? { throw Down() }
    }
    let verifier = await TokenVerifier(secret: try Keys.secret)
    let issuer = await TokenIssuer(secret: try Keys.secret)
    let gate = AccessGate(verifier: verifier, directory: Nobody())
    let ann = Principal(subject: "ann", expiresAt: .now())
    let appliance = try ApplianceID("A")
    #expect(await gate.admit(try await issuer.issue(userID: "ann", now: .now(), lifetime: .seconds(60))) == .unavailable)
    #expect(await gate.admit("nonsense") == .refused(.invalidOrExpiredToken))
    #expect(await gate.permission(of: ann, on: appliance) == .unavailable)
    #expect(await gate.recheck(ann, []) == nil)
    #expect(await gate.role(of: ann) == nil)
    let devices = DeviceGate(verifier: verifier, directory: Nobody())
    #expect(await devices.admit(appliance, credential: OpaqueSecret().text) == .unavailable)
    #expect(await devices.admit(token: try await issuer.issue(device: appliance, now: .now(), lifetime: .seconds(60))) == .unavailable)
  }
}
