import Models
import Store

/// The shapes of webhooks and what became of messages.
enum WebhookShapes {
  private static let types = Schema.list(.word(WebhookEventType.selectable.map(\.rawValue)))

  /// What an owner decides, as a request has it.
  static func settings(isNew: Bool) -> [Schema.Member] {
    func member(_ name: String, _ schema: Schema, _ note: String) -> Schema.Member {
      isNew ? .required(name, schema, note) : .optional(name, schema, note)
    }
    return [
      member("name", .text(1...255), "Unique among the owner's."),
      member("url", .text(1...2048), "https://, to a public address."),
      .optional("event_types", types, "All when empty."),
      .optional("appliance_ids", .list(.applianceID), "All that the owner may see when empty."),
      .optional(
        "in_flight_max", .integer(WebhookSettings.inFlightRange),
        "Attempts at a time, \(WebhookSettings.inFlightDefault) when left out. With 1, messages keep their order."),
    ]
  }

  static let webhook = Schema.named(
    "Webhook",
    .object([
      .required("id", .text(36...36)), .required("owner_id", .text(1...255)), .required("name", .text(1...255)),
      .required("url", .text(1...2048)),
      .required("event_types", types, "All when empty."),
      .required("appliance_ids", .list(.applianceID), "All that the owner may see when empty."),
      .required("in_flight_max", .integer(WebhookSettings.inFlightRange)), .required("enabled", .boolean), .required("created_at", .moment),
      .required("disabled_at", .nullable(.moment)),
      .required(
        "disabled_because", .nullable(.word(WebhookDisabling.allCases.map(\.rawValue))),
        "gone: it answered 410. failing: nothing has succeeded for five days."),
      .required("failing_since", .nullable(.moment), "The first failure after the last success."),
    ]))

  static let secret = Schema.named(
    "WebhookSecret", .object([.required("secret", .opaque(1...128), "By the Standard Webhooks specification: whsec_ and base64.")]))

  static let created = Schema.named(
    "NewlyMadeWebhook",
    .object([.required("webhook", webhook), .required("secret", .opaque(1...128), "Told this once.")]))

  static let attempt = Schema.named(
    "WebhookAttempt",
    .object([
      .required("number", .count, "From 1."), .required("started_at", .moment), .required("duration_ms", .count),
      .required("status", .nullable(.integer(100...999)), "The answer's; null when none came."),
      .required("failure", .nullable(.word(WebhookFailure.allCases.map(\.rawValue))), "Null for a success."),
      .required("detail", .nullable(.opaque(0...4096)), "Why it failed, or how the answer began."),
    ]))

  static let delivery = Schema.named(
    "WebhookDelivery",
    .object([
      .required("id", .count), .required("webhook_id", .text(36...36)),
      .required("message_id", .text(1...64), "The header webhook-id, the same for every attempt."), .required("type", .text(1...64)),
      .required("appliance_id", .nullable(.applianceID)), .required("state", .word(WebhookDeliveryState.allCases.map(\.rawValue))),
      .required("created_at", .moment), .required("due_at", .nullable(.moment), "When it is tried next."),
      .required("settled_at", .nullable(.moment)), .required("attempts", .list(attempt)),
    ]))

  static func json(_ webhook: Webhook) -> JSONValue {
    [
      "id": .text(webhook.id.text), "owner_id": .text(webhook.ownerID), "name": .text(webhook.settings.name),
      "url": .text(webhook.settings.url), "event_types": .list(webhook.settings.types.map(\.rawValue).sorted().map { .text($0) }),
      "appliance_ids": .list(webhook.settings.appliances.sorted().map { .text($0.rawValue) }),
      "in_flight_max": .integer(Int64(webhook.settings.inFlightMax)), "enabled": .boolean(webhook.disabled == nil),
      "created_at": .time(webhook.createdAt), "disabled_at": .optional(webhook.disabled?.at) { .time($0) },
      "disabled_because": .optional(webhook.disabled?.because) { .text($0.rawValue) },
      "failing_since": .optional(webhook.failingSince) { .time($0) },
    ]
  }

  static func json(_ delivery: WebhookDelivery) -> JSONValue {
    [
      "id": .integer(delivery.id), "webhook_id": .text(delivery.webhookID.text), "message_id": .text(delivery.messageID.description),
      "type": .text(delivery.type), "appliance_id": .optional(delivery.applianceID) { .text($0) }, "state": .text(delivery.state.rawValue),
      "created_at": .time(delivery.createdAt), "due_at": .optional(delivery.dueAt) { .time($0) },
      "settled_at": .optional(delivery.settledAt) { .time($0) }, "attempts": .list(delivery.attempts.map { json($0) }),
    ]
  }

  private static func json(_ attempt: WebhookAttempt) -> JSONValue {
    [
      "number": .integer(Int64(attempt.number)), "started_at": .time(attempt.startedAt),
      "duration_ms": .integer(Int64(attempt.duration_ms)),
      "status": .optional(attempt.status) { .integer(Int64($0)) }, "failure": .optional(attempt.failure) { .text($0.rawValue) },
      "detail": .optional(attempt.detail) { .text($0) },
    ]
  }
}
