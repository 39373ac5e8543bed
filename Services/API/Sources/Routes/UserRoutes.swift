import HTTPTypes
import Hummingbird
import Models
import Store

/// Who exists.
struct UserRoutes: Sendable {
  let accounts: AccountStore
  let passwords: PasswordDesk
  let announcer: Announcer

  private static let password = Schema.opaque(8...256)

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/users", id: "listUsers", group: .users, summary: "All users, by id.", admittance: .admin,
          query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("users", of: Shapes.user)))), list),
      Route(
        Operation(
          method: .post, path: "/api/v1/users", id: "createUser", group: .users, summary: "Adds a user.", admittance: .admin,
          body: .init(
            schema: .named(
              "NewUser",
              .object([
                .required("id", .text(1...128)), .optional("name", .text(0...255), "The id when left out."),
                .optional("role", .word(UserRole.allCases.map(\.rawValue)), "viewer when left out."),
                .optional("password", Self.password, "Without one the user cannot log in here."),
              ]))),
          answer: .init(status: .created, note: "The user.", content: .json(Shapes.user), hasLocation: true),
          problems: [.alreadyExists, .tooManyRequests]), create),
      Route(
        Operation(
          method: .get, path: "/api/v1/users/{user_id}", id: "getUser", group: .users, summary: "One user: oneself, or any for an admin.",
          answer: .init(status: .ok, note: "The user.", content: .json(Shapes.user)), problems: [.userNotFound]), get),
      Route(
        Operation(
          method: .patch, path: "/api/v1/users/{user_id}", id: "changeUser", group: .users,
          summary:
            "Changes what is given: one's own name and password, or any user's, role included, for an admin. A new password revokes all tokens of the user.",
          body: .init(
            schema: .named(
              "UserChange",
              .object([
                .optional("name", .text(0...255)), .optional("role", .word(UserRole.allCases.map(\.rawValue)), "For admins."),
                .optional("password", Self.password), .optional("current_password", .opaque(1...256), "Wanted for one's own new password."),
              ]))),
          answer: .init(status: .ok, note: "The user.", content: .json(Shapes.user)),
          problems: [.userNotFound, .notPermitted, .invalidCredentials, .tooManyAttempts, .tooManyRequests]), change),
      Route(
        Operation(
          method: .delete, path: "/api/v1/users/{user_id}", id: "deleteUser", group: .users,
          summary: "Removes a user, whose connections close and whose shares end. One who owns appliances is kept.", admittance: .admin,
          answer: .init(status: .noContent, note: "Removed."), problems: [.userNotFound, .stillInUse]), delete),
      Route(
        Operation(
          method: .delete, path: "/api/v1/users/{user_id}/tokens", id: "revokeTokens", group: .users,
          summary: "Revokes every token that the user has, on every replica: of oneself, or of any user for an admin.",
          answer: .init(status: .noContent, note: "Revoked."), problems: [.userNotFound]), revokeTokens),
    ]
  }

  /// The user in the path, if the caller may know.
  private func user(_ call: Call) async throws -> User {
    let caller = try call.user()
    let id = call.path["user_id"] == "me" ? caller.id : call.path["user_id"] ?? ""
    guard caller.isAdmin || id == caller.id, let user = try await accounts.user(id) else { throw Problem(.userNotFound) }
    return user
  }

  private static func json(_ user: User) -> JSONValue {
    ["id": .text(user.id), "name": .text(user.name), "role": .text(user.role.rawValue)]
  }

  private func list(_ call: Call) async throws -> Response {
    let (question, limit) = (["users"], call.integer("limit", default: 100))
    let after = try call.cursor(for: question, count: 1)?.parts[0]
    let users = try await accounts.users(after: after, limit: limit + 1)
    let next = users.count > limit ? Cursor([users[limit - 1].id]).text(for: question) : nil
    return .json(Shapes.json("users", users.prefix(limit).map(Self.json), next: next))
  }

  private func create(_ call: Call) async throws -> Response {
    let id = call.body.string("id") ?? ""
    guard id != "me" else {
      throw Problem(.invalidBody, violations: [Violation(place: "/id", detail: "must not be “me”, which stands for the caller")])
    }
    let user = User(
      id: id, name: call.body.string("name") ?? id, role: call.body.string("role").flatMap { UserRole(rawValue: $0) } ?? .viewer)
    let hash = try await passwords.hash(call.body.string("password"))
    try await accounts.createUser(user, now: call.now)
    if let hash { try await accounts.setPasswordHash(hash, of: id) }
    await announcer.changed(.user(id))
    return .json(Self.json(user), status: .created, headers: [.location: "/api/v1/users/\(Self.escaped(id))"])
  }

  private func get(_ call: Call) async throws -> Response { .json(Self.json(try await user(call))) }

  private func change(_ call: Call) async throws -> Response {
    let (old, caller, body) = (try await user(call), try call.user(), call.body)
    guard body.string("role") == nil || caller.isAdmin else { throw Problem(.notPermitted, "Only an admin changes roles.") }
    var hash: String?
    if let password = body.string("password") {
      if !caller.isAdmin { try await passwords.require(body.string("current_password") ?? "", of: caller.id, from: call.clientAddress) }
      hash = try await passwords.hash(password)
    }
    let new = User(
      id: old.id, name: body.string("name") ?? old.name, role: body.string("role").flatMap { UserRole(rawValue: $0) } ?? old.role)
    try await accounts.updateUser(new)
    if let hash {
      try await accounts.setPasswordHash(hash, of: new.id)
      try await accounts.revokeTokens(of: new.id, now: .now())
    }
    await announcer.changed(.user(new.id))
    return .json(Self.json(new))
  }

  private func delete(_ call: Call) async throws -> Response {
    let user = try await user(call)
    try await accounts.deleteUser(user.id)
    await announcer.changed(.user(user.id))
    return .noContent
  }

  private func revokeTokens(_ call: Call) async throws -> Response {
    let user = try await user(call)
    try await accounts.revokeTokens(of: user.id, now: .now())
    await announcer.changed(.user(user.id))
    return .noContent
  }

  /// A user's id as a segment of a path.
  private static func escaped(_ id: String) -> String {
    id.utf8.map { byte in
      let isPlain = Unicode.Scalar(byte).properties.isAlphabetic && byte < 128 || (48...57).contains(byte) || "-._~".utf8.contains(byte)
      return isPlain ? String(Unicode.Scalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }.joined()
  }
}
