import HTTPTypes
import Hummingbird
import Models
import Store

/// With whom an appliance is shared, and what they may do with it.
struct ShareRoutes: Sendable {
  let accounts: AccountStore
  let announcer: Announcer

  var routes: [Route] {
    let path = "/api/v1/appliances/{appliance_id}/shares"
    return [
      Route(
        Operation(
          method: .get, path: path, id: "listShares", group: .appliances, summary: "With whom the appliance is shared, by user.",
          admittance: .appliance(.own),
          answer: .init(status: .ok, note: "All of them.", content: .json(.object([.required("shares", .list(Shapes.share))])))), list),
      Route(
        Operation(
          method: .put, path: path + "/{user_id}", id: "share", group: .appliances, summary: "Shares it, or changes what the user may do.",
          admittance: .appliance(.own),
          body: .init(
            schema: .named(
              "ShareChange",
              .object([
                .optional(
                  "role", .word(ShareRole.allCases.map(\.rawValue)), "account when left out: as much as the user's own role allows.")
              ])), isOptional: true),
          answer: .init(status: .ok, note: "The share.", content: .json(Shapes.share)), problems: [.userNotFound, .stillInUse]), share),
      Route(
        Operation(
          method: .delete, path: path + "/{user_id}", id: "unshare", group: .appliances,
          summary: "Ends a share; whoever it is shared with may end their own.", admittance: .appliance(.watch),
          answer: .init(status: .noContent, note: "Ended."), problems: [.shareNotFound, .notPermitted]), unshare),
    ]
  }

  private static func user(_ call: Call) throws -> String {
    let id = call.path["user_id"] ?? ""
    return id == "me" ? try call.user().id : id
  }

  private static func json(_ user: String, _ role: ShareRole) -> JSONValue { ["user_id": .text(user), "role": .text(role.rawValue)] }

  private func list(_ call: Call) async throws -> Response {
    let shares = try await accounts.shares(of: call.appliance())
    return .json(["shares": .list(shares.sorted { $0.key < $1.key }.map { Self.json($0.key, $0.value) })])
  }

  private func share(_ call: Call) async throws -> Response {
    let (id, user) = (try call.appliance(), try Self.user(call))
    let role = call.body.string("role").flatMap { ShareRole(rawValue: $0) } ?? .account
    do {
      try await accounts.share(id, with: user, as: role)
    } catch let error as StoreError where error.code == .invalidAccount {
      throw Problem(.stillInUse, "The user owns it: there is nothing to share.")
    } catch let error as StoreError where error.code == .notFound {
      throw Problem(.userNotFound)
    }
    await announcer.changed(.appliance(id))
    return .json(Self.json(user, role))
  }

  private func unshare(_ call: Call) async throws -> Response {
    let (id, user) = (try call.appliance(), try Self.user(call))
    let caller = try call.user()
    guard call.permission ?? .watch >= .own || user == caller.id else {
      throw Problem(.notPermitted, "Only the owner ends the shares of others.")
    }
    do { try await accounts.unshare(id, with: user) } catch let error as StoreError where error.code == .notFound {
      throw Problem(.shareNotFound)
    }
    await announcer.changed(.appliance(id))
    return .noContent
  }
}
