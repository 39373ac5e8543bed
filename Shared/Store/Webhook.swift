internal import Digests
package import Models
internal import PostgresClient

/// Where messages go, and which.
package struct Webhook: Hashable, Sendable {
  package let id: WebhookID
  package let ownerID: String
  package var settings: WebhookSettings
  package let createdAt: Timestamp
  /// Nil while it is tried.
  package let disabled: Disabled?
  /// The first failure after the last success.
  package let failingSince: Timestamp?

  package struct Disabled: Hashable, Sendable {
    package let at: Timestamp
    package let because: WebhookDisabling
  }
}

/// What an owner decides about a webhook.
package struct WebhookSettings: Hashable, Sendable {
  package static let namesRange_bytes = 1...255
  package static let inFlightRange = 1...64
  package static let inFlightDefault = 8
  package static let appliancesMax = 1000

  /// Unique among the owner's.
  package var name: String
  package var url: String
  /// Empty: every type.
  package var types: Set<WebhookEventType>
  /// Empty: every appliance that the owner may see.
  package var appliances: Set<ApplianceID>
  /// How many attempts at a time; with 1, messages keep their order.
  package var inFlightMax: Int

  package init(
    name: String, url: String, types: Set<WebhookEventType> = [], appliances: Set<ApplianceID> = [], inFlightMax: Int = inFlightDefault
  ) {
    (self.name, self.url, self.types, self.appliances, self.inFlightMax) = (name, url, types, appliances, inFlightMax)
  }

  /// `name`, `url`, `event_types`, `appliance_ids`, `in_flight_max`, as `$2` to `$6`.
  var parameters: [PostgresValue] {
    [
      .text(name), .text(url), .textArray(types.map(\.rawValue).sorted()), .textArray(appliances.map(\.rawValue).sorted()),
      .int8(Int64(inFlightMax)),
    ]
  }
}

/// What signs a webhook's messages, by the Standard Webhooks specification: 24 to 64 random bytes, written `whsec_` and base64. Never in a log.
package struct WebhookSecret: Hashable, Sendable, CustomStringConvertible, CustomReflectable {
  package static let prefix = "whsec_"
  package static let lengthRange_bytes = 24...64

  package let bytes: [UInt8]

  /// A new one, of 32 bytes.
  package init() { bytes = Digests.randomBytes(32) }

  /// Nil when it has too few or too many bytes.
  package init?(_ bytes: [UInt8]) {
    guard Self.lengthRange_bytes.contains(bytes.count) else { return nil }
    self.bytes = bytes
  }

  /// What the receiver is given.
  package var text: String { Self.prefix + Digests.base64(bytes) }
  package var description: String { "a webhook's secret" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}

/// A message at one webhook.
package struct WebhookDelivery: Hashable, Sendable {
  package let id: Int64
  package let webhookID: WebhookID
  /// `webhook-id`.
  package let messageID: WebhookMessageID
  package let type: String
  package let applianceID: String?
  package let state: WebhookDeliveryState
  package let createdAt: Timestamp
  /// When it is tried next; nil when it is not.
  package let dueAt: Timestamp?
  package let settledAt: Timestamp?
  /// In their order. The one that is being made is not among them.
  package var attempts: [WebhookAttempt] = []
}

/// One try to deliver a message.
package struct WebhookAttempt: Hashable, Sendable {
  /// From 1.
  package let number: Int
  package let startedAt: Timestamp
  package let duration_ms: Int
  /// The answer's; nil when none came.
  package let status: Int?
  /// Nil for a success.
  package let failure: WebhookFailure?
  /// Why it failed, or how the answer began.
  package let detail: String?

  package init(number: Int, startedAt: Timestamp, duration_ms: Int, status: Int?, failure: WebhookFailure?, detail: String?) {
    (self.number, self.startedAt, self.duration_ms) = (number, startedAt, duration_ms)
    (self.status, self.failure, self.detail) = (status, failure, detail)
  }
}

/// The `webhook-id` of a message: the same for every attempt, every webhook, and every time that the same cause is told.
package struct WebhookMessageID: Hashable, Sendable, CustomStringConvertible {
  /// 32 hexadecimal digits.
  let hex: String

  /// - Parameter key: names the cause, unique among all messages of its type.
  package init(_ type: WebhookEventType, key: String) {
    hex = Digests.hex(Digests.sha256(Array("\(type.rawValue)\n\(key)".utf8)).prefix(16))
  }

  /// From the column, a UUID's text.
  init(uuid: String) { hex = uuid.replacing("-", with: "") }

  package var description: String { "msg_" + hex }
}
