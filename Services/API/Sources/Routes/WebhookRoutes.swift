import HTTPTypes
import Hummingbird
import Models
import OutboundGate
import Store

/// Where messages go. Owners see their own webhooks, admins all.
struct WebhookRoutes: Sendable {
  let webhooks: WebhookStore
  let gate: OutboundGate
  let announcer: Announcer

  private static let path = "/api/v1/webhooks"
  private static let one = path + "/{webhook_id}"
  /// As many appliances as a webhook may name, and the rest.
  private static let bodyBytesMax = 96 << 10
  private static let overlapDefault_s = 86_400

  var routes: [Route] { [listing, creation] + ofOne }

  private var listing: Route {
    Route(
      Operation(
        method: .get, path: Self.path, id: "listWebhooks", group: .webhooks, summary: "The caller's webhooks; an admin's, those of all.",
        query: [
          Operation.Parameter(name: "owner_id", schema: .text(1...255), note: "Only those of this user."), Shapes.limit, Shapes.cursor,
        ],
        answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("webhooks", of: WebhookShapes.webhook))),
        problems: [.notPermitted]), list)
  }

  private var creation: Route {
    Route(
      Operation(
        method: .post, path: Self.path, id: "createWebhook", group: .webhooks,
        summary: "Adds a webhook: messages signed by the Standard Webhooks specification go to its URL from now on.",
        body: .init(
          schema: .named(
            "NewWebhook",
            .object(WebhookShapes.settings(isNew: true) + [.optional("owner_id", .text(1...255), "For admins; the caller when left out.")])),
          bytesMax: Self.bodyBytesMax),
        answer: .init(
          status: .created, note: "The webhook, and its secret, told this once.", content: .json(WebhookShapes.created), hasLocation: true),
        problems: [.alreadyExists, .limitReached, .notPermitted]), create)
  }

  private var ofOne: [Route] {
    [
      Route(
        Operation(
          method: .get, path: Self.one, id: "getWebhook", group: .webhooks, summary: "One webhook.",
          answer: .init(status: .ok, note: "The webhook.", content: .json(WebhookShapes.webhook)), problems: [.webhookNotFound]), get),
      Route(
        Operation(
          method: .patch, path: Self.one, id: "changeWebhook", group: .webhooks,
          summary: "Changes what is given. Enabled again, it goes on with what waits; messages made while it was disabled are not sent.",
          body: .init(
            schema: .named("WebhookChange", .object(WebhookShapes.settings(isNew: false) + [.optional("enabled", .boolean)])),
            bytesMax: Self.bodyBytesMax),
          answer: .init(status: .ok, note: "The webhook.", content: .json(WebhookShapes.webhook)),
          problems: [.webhookNotFound, .alreadyExists]), change),
      Route(
        Operation(
          method: .delete, path: Self.one, id: "deleteWebhook", group: .webhooks,
          summary: "Removes a webhook with what waits for it and what is known of its deliveries.",
          answer: .init(status: .noContent, note: "Removed."), problems: [.webhookNotFound]), delete),
      Route(
        Operation(
          method: .post, path: Self.one + "/secret", id: "rotateWebhookSecret", group: .webhooks,
          summary: "Makes a new secret. Messages are signed with those before too, for a time in which the receiver can be changed.",
          body: .init(
            schema: .named(
              "SecretRotation",
              .object([.optional("overlap_s", .integer(0...604_800), "How long; a day when left out.")])), isOptional: true),
          answer: .init(status: .created, note: "The secret, told this once.", content: .json(WebhookShapes.secret)),
          problems: [.webhookNotFound, .limitReached]), rotate),
      Route(
        Operation(
          method: .post, path: Self.one + "/test", id: "testWebhook", group: .webhooks, summary: "Sends a message of type webhook.test.",
          query: [
            Operation.Parameter(name: "wait", schema: .integer(0...30), note: "Seconds to wait for the first attempt; 0 when left out.")
          ],
          answer: .init(
            status: .accepted, note: "The delivery as it is by then.", content: .json(WebhookShapes.delivery), hasLocation: true),
          problems: [.webhookNotFound, .webhookDisabled]), test),
    ]
  }

  private func list(_ call: Call) async throws -> Response {
    let caller = try call.user()
    let wanted = call.query["owner_id"]
    guard caller.isAdmin || wanted == nil || wanted == caller.id else {
      throw Problem(.notPermitted, "Only an admin sees the webhooks of others.")
    }
    let question = ["webhooks", wanted ?? ""]
    let after = try call.cursor(for: question, count: 1).map { cursor throws(Problem) in
      guard let id = WebhookID(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return id
    }
    let owner = wanted ?? (caller.isAdmin ? nil : caller.id)
    let page = try await webhooks.webhooks(of: owner, after: after, limit: call.integer("limit", default: 100))
    let next = page.next.map { Cursor([$0.text]).text(for: question) }
    return .json(Shapes.json("webhooks", page.items.map { WebhookShapes.json($0) }, next: next))
  }

  private func create(_ call: Call) async throws -> Response {
    let caller = try call.user()
    let owner = call.body.string("owner_id") ?? caller.id
    guard caller.isAdmin || owner == caller.id else { throw Problem(.notPermitted, "Only an admin adds webhooks for others.") }
    let settings = try settings(call.body, from: WebhookSettings(name: "", url: ""))
    let secret = WebhookSecret()
    let webhook: Webhook
    do { webhook = try await webhooks.create(settings, of: owner, secret: secret) } catch let error as StoreError {
      guard error.code == .notFound else { throw Self.problem(error) }
      throw Problem(.invalidBody, violations: [Violation(place: "/owner_id", detail: "names a user who does not exist")])
    }
    await announcer.changed(.user(owner))
    return .json(
      ["webhook": WebhookShapes.json(webhook), "secret": .text(secret.text)], status: .created,
      headers: [.location: "\(Self.path)/\(webhook.id)"])
  }

  private func get(_ call: Call) async throws -> Response { .json(WebhookShapes.json(try await webhooks.webhook(for: call))) }

  private func change(_ call: Call) async throws -> Response {
    let old = try await webhooks.webhook(for: call)
    let settings = try settings(call.body, from: old.settings)
    let enabled = call.body.raw("enabled").map { $0.elementsEqual("true".utf8) }
    let webhook: Webhook
    do { webhook = try await webhooks.change(old.id, to: settings, enabled: enabled) } catch let error as StoreError {
      throw Self.problem(error)
    }
    await announcer.changed(.user(webhook.ownerID))
    return .json(WebhookShapes.json(webhook))
  }

  private func delete(_ call: Call) async throws -> Response {
    let webhook = try await webhooks.webhook(for: call)
    do { try await webhooks.delete(webhook.id) } catch let error as StoreError { throw Self.problem(error) }
    await announcer.changed(.user(webhook.ownerID))
    return .noContent
  }

  private func rotate(_ call: Call) async throws -> Response {
    let webhook = try await webhooks.webhook(for: call)
    let overlap = call.body.number("overlap_s").map { Duration.seconds($0) } ?? .seconds(Self.overlapDefault_s)
    let secret = WebhookSecret()
    do { try await webhooks.rotateSecret(of: webhook.id, to: secret, overlap: overlap, now: call.now) } catch let error as StoreError {
      throw Self.problem(error)
    }
    return .json(["secret": .text(secret.text)], status: .created)
  }

  private func test(_ call: Call) async throws -> Response {
    let webhook = try await webhooks.webhook(for: call)
    let id: Int64
    do { id = try await webhooks.test(webhook.id, by: call.user().id, now: call.now) } catch let error as StoreError {
      throw error.code == .inUse ? Problem(.webhookDisabled) : Self.problem(error)
    }
    let delivery = try await delivery(id, of: webhook.id, within: .seconds(call.integer("wait", default: 0)))
    return .json(
      WebhookShapes.json(delivery), status: .accepted, headers: [.location: "\(Self.path)/\(webhook.id)/deliveries/\(id)"])
  }

  /// How often a waiting request looks whether an attempt has been made.
  private static let lookInterval = Duration.milliseconds(200)

  /// The delivery, once an attempt was made or the time is over.
  private func delivery(_ id: Int64, of webhook: WebhookID, within limit: Duration) async throws -> WebhookDelivery {
    let deadline = ContinuousClock.now + limit
    while true {
      guard let delivery = try await webhooks.delivery(id, of: webhook) else { throw Problem(.deliveryNotFound) }
      if !delivery.attempts.isEmpty || .now >= deadline { return delivery }
      try await Task.sleep(for: Self.lookInterval)
    }
  }

  /// The settings that a body asks for; what it does not name stays as it was.
  private func settings(_ body: JSONObject, from old: WebhookSettings) throws(Problem) -> WebhookSettings {
    var settings = old
    if let name = body.string("name") { settings.name = name }
    if let types = body.texts("event_types") { settings.types = Set(types.compactMap { WebhookEventType(rawValue: $0) }) }
    if let ids = body.texts("appliance_ids") { settings.appliances = Set(ids.compactMap { try? ApplianceID($0) }) }
    if let count = body.number("in_flight_max") { settings.inFlightMax = Int(count) }
    var violations: [Violation] = []
    if !WebhookSettings.namesRange_bytes.contains(settings.name.utf8.count) {
      violations.append(Violation(place: "/name", detail: "must have at most \(WebhookSettings.namesRange_bytes.upperBound) bytes"))
    }
    if settings.appliances.count > WebhookSettings.appliancesMax {
      violations.append(Violation(place: "/appliance_ids", detail: "must have at most \(WebhookSettings.appliancesMax) elements"))
    }
    if let text = body.string("url") {
      do { settings.url = try gate.admit(text).text } catch { violations.append(Violation(place: "/url", detail: error.description)) }
    }
    guard violations.isEmpty else { throw Problem(.invalidBody, violations: violations) }
    return settings
  }

  private static func problem(_ error: StoreError) -> Problem {
    switch error.code {
    case .alreadyExists: Problem(.alreadyExists, "The owner has a webhook of this name already.")
    case .inUse: Problem(.limitReached, error.description + ".")
    default: Problem(.webhookNotFound)
    }
  }
}

extension WebhookStore {
  /// The webhook in the call's path, if the caller may see it.
  func webhook(for call: Call) async throws -> Webhook {
    let caller = try call.user()
    guard let id = WebhookID(call.path["webhook_id"] ?? ""), let webhook = try await webhook(id, of: caller.isAdmin ? nil : caller.id)
    else {
      throw Problem(.webhookNotFound)
    }
    return webhook
  }
}

extension JSONObject {
  /// The texts of a member that is a list of them; nil when it is missing.
  fileprivate func texts(_ name: String) -> [String]? { elements(name)?.map { JSONString.decode($0) } }
}
