import Access
import HTTPTypes
import Hummingbird
import Logging
import Models
import Store

/// What there is, whose it is, and the secrets by which devices prove themselves.
struct ApplianceRoutes: Sendable {
  let accounts: AccountStore
  let announcer: Announcer

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances", id: "listAppliances", group: .appliances,
          summary: "The appliances that the caller may see, by id.", query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("appliances", of: Shapes.appliance)))), list),
      Route(
        Operation(
          method: .post, path: "/api/v1/appliances", id: "createAppliance", group: .appliances, summary: "Registers an appliance.",
          admittance: .admin,
          body: .init(
            schema: .named(
              "NewAppliance",
              .object([
                .required("id", .applianceID), .required("owner_id", .text(1...255)),
                .optional("name", .text(0...255), "The id when left out."),
                .optional("dialect", .word(Dialect.allCases.map(\.rawValue)), "epicura when left out."),
                .optional(
                  "accepts_unproven", .boolean,
                  "For the dialect signaling only: while it has no secret, whoever knows its id passes for it. false when left out."),
              ]))),
          answer: .init(status: .created, note: "The appliance.", content: .json(Shapes.appliance), hasLocation: true),
          problems: [.alreadyExists]), create),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}", id: "getAppliance", group: .appliances, summary: "One appliance.",
          admittance: .appliance(.watch),
          answer: .init(status: .ok, note: "The appliance.", content: .json(Shapes.appliance))), get),
      Route(
        Operation(
          method: .patch, path: "/api/v1/appliances/{appliance_id}", id: "changeAppliance", group: .appliances,
          summary: "Changes what is given. Giving it to another owner takes it from this one.", admittance: .appliance(.own),
          body: .init(
            schema: .named(
              "ApplianceChange",
              .object([
                .optional("name", .text(0...255)), .optional("owner_id", .text(1...255)),
                .optional("dialect", .word(Dialect.allCases.map(\.rawValue)), "For admins."),
                .optional(
                  "accepts_unproven", .boolean,
                  "For the dialect signaling only: while it has no secret, whoever knows its id passes for it."),
              ]))),
          answer: .init(status: .ok, note: "The appliance.", content: .json(Shapes.appliance))), change),
      Route(
        Operation(
          method: .delete, path: "/api/v1/appliances/{appliance_id}", id: "deleteAppliance", group: .appliances,
          summary: "Removes an appliance and its shares. Its events stay, but nobody sees them until it is registered again.",
          admittance: .appliance(.administer), answer: .init(status: .noContent, note: "Removed.")), delete),
      Route(
        Operation(
          method: .post, path: "/api/v1/appliances/{appliance_id}/secret", id: "makeSecret", group: .appliances,
          summary: "Makes a new secret for the device; the one before is not valid any more.", admittance: .appliance(.own),
          answer: .init(
            status: .created, note: "The secret, told this once: only its hash is kept.",
            content: .json(.named("Secret", .object([.required("secret", .opaque(1...128))]))))), makeSecret),
    ]
  }

  private static func json(_ visible: VisibleAppliance) -> JSONValue {
    json(
      Appliance(
        id: visible.id, ownerID: visible.ownerID, dialect: visible.dialect, name: visible.name, acceptsUnproven: visible.acceptsUnproven),
      visible.permission)
  }

  private static func json(_ appliance: Appliance, _ permission: Permission) -> JSONValue {
    let members: [(String, JSONValue)] = [
      ("id", .text(appliance.id.rawValue)), ("name", .text(appliance.name)), ("dialect", .text(appliance.dialect.rawValue)),
      ("owner_id", .text(appliance.ownerID)), ("accepts_unproven", .boolean(appliance.acceptsUnproven)),
      ("permission", .text(permission.word)),
    ]
    return .object(members + (appliance.warning.map { [("warning", .text($0))] } ?? []))
  }

  private func list(_ call: Call) async throws -> Response {
    let (question, limit, caller) = (["appliances"], call.integer("limit", default: 100), try call.user())
    let after = try call.cursor(for: question, count: 1).map { cursor throws(Problem) in
      do { return try ApplianceID(cursor.parts[0]) } catch { throw Problem(.invalidCursor) }
    }
    let appliances = try await accounts.appliances(visibleTo: caller.id, as: caller.principal.role, after: after, limit: limit + 1)
    let next = appliances.count > limit ? Cursor([appliances[limit - 1].id.rawValue]).text(for: question) : nil
    return .json(Shapes.json("appliances", appliances.prefix(limit).map { Self.json($0) }, next: next))
  }

  private func create(_ call: Call) async throws -> Response {
    let id = try ApplianceID(call.body.string("id") ?? "")
    let appliance = Appliance(
      id: id, ownerID: call.body.string("owner_id") ?? "",
      dialect: call.body.string("dialect").flatMap { Dialect(rawValue: $0) } ?? .epicura,
      name: call.body.string("name") ?? id.rawValue, acceptsUnproven: call.body.boolean("accepts_unproven") ?? false)
    try await Self.namingWhatIsWrong(appliance) { try await accounts.createAppliance(appliance) }
    try warn(of: appliance, call)
    await announcer.changed(.appliance(id))
    return .json(Self.json(try await visible(id, call)), status: .created, headers: [.location: "/api/v1/appliances/\(id)"])
  }

  /// As the caller sees it now.
  private func visible(_ id: ApplianceID, _ call: Call) async throws -> VisibleAppliance {
    let caller = try call.user()
    guard let appliance = try await accounts.appliance(id, visibleTo: caller.id, as: caller.principal.role) else {
      throw Problem(.applianceNotFound)
    }
    return appliance
  }

  private func get(_ call: Call) async throws -> Response { .json(Self.json(try await visible(call.appliance(), call))) }

  private func change(_ call: Call) async throws -> Response {
    let (old, body) = (try await visible(call.appliance(), call), call.body)
    guard body.string("dialect") == nil || call.permission == .administer else {
      throw Problem(.notPermitted, "Only an admin changes an appliance's dialect.")
    }
    let dialect = body.string("dialect").flatMap { Dialect(rawValue: $0) } ?? old.dialect
    let new = Appliance(
      id: old.id, ownerID: body.string("owner_id") ?? old.ownerID, dialect: dialect, name: body.string("name") ?? old.name,
      acceptsUnproven: body.boolean("accepts_unproven") ?? (old.acceptsUnproven && dialect == .signaling))
    try await Self.namingWhatIsWrong(new) { try await accounts.updateAppliance(new) }
    if !old.acceptsUnproven { try warn(of: new, call) }
    await announcer.changed(.appliance(new.id))
    return .json(Self.json(new, old.permission))
  }

  private func warn(of appliance: Appliance, _ call: Call) throws {
    guard let warning = appliance.warning else { return }
    let caller = try call.user().id
    announcer.logger.warning("\(warning)", metadata: ["appliance_id": "\(appliance.id)", "user_id": "\(caller)"])
  }

  /// The appliance is known to be there, so it is the owner who is not.
  private static func namingWhatIsWrong(_ appliance: Appliance, _ work: () async throws -> Void) async throws {
    guard appliance.dialect == .signaling || !appliance.acceptsUnproven else {
      throw Problem(.invalidBody, violations: [Violation(place: "/accepts_unproven", detail: "is for the dialect signaling only")])
    }
    do { try await work() } catch let error as StoreError where error.code == .notFound {
      throw Problem(.invalidBody, violations: [Violation(place: "/owner_id", detail: "names a user who does not exist")])
    }
  }

  private func delete(_ call: Call) async throws -> Response {
    try await accounts.deleteAppliance(call.appliance())
    await announcer.changed(.appliance(try call.appliance()))
    return .noContent
  }

  private func makeSecret(_ call: Call) async throws -> Response {
    let secret = OpaqueSecret()
    try await accounts.setDeviceSecret(secret.hash, of: call.appliance())
    await announcer.changed(.appliance(try call.appliance()))
    return .json(["secret": .text(secret.text)], status: .created)
  }
}
