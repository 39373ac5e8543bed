package import Models
package import PostgresClient

/// Messages for webhooks, ready to be stored in the transaction of what causes them, with one statement.
///
/// What nobody is interested in is dropped at once, so where there are no webhooks this costs next to nothing.
package struct WebhookRows: Sendable {
  private struct Message: Sendable {
    let id: WebhookMessageID
    let type: WebhookEventType
    let applianceID: ApplianceID
    let body: [UInt8]
  }

  private let interest: WebhookInterest
  private var messages: [Message] = []

  package init(_ interest: WebhookInterest) { self.interest = interest }

  package var count: Int { messages.count }
  /// What is sent for each.
  var bodies: [String] { messages.map { String(decoding: $0.body, as: UTF8.self) } }

  /// Whether anybody may want this: then it is worth making its data.
  package func wants(_ type: WebhookEventType, of appliance: ApplianceID) -> Bool { interest.contains(type, of: appliance) }

  /// - Parameters:
  ///   - data: what the body's `data` holds behind `appliance_id`: a JSON object, as its text without spaces around it.
  ///   - at: when it happened.
  ///   - key: names the cause, unique among all messages of the type: what has been told under it is not told again.
  package mutating func append(
    _ type: WebhookEventType, of appliance: ApplianceID, data: [UInt8], at time: Timestamp, key: @autoclosure () -> String
  ) {
    guard wants(type, of: appliance) else { return }
    var members: [UInt8] = []
    members.append("\"appliance_id\":")
    members.append(json: appliance.rawValue)
    if data.count > 2 { members += [UInt8(ascii: ",")] + data.dropFirst().dropLast() }
    messages.append(
      Message(
        id: WebhookMessageID(type, key: key()), type: type, applianceID: appliance, body: Self.body(type, data: members, at: time)))
  }

  /// Stores the messages, each with a delivery for every enabled webhook that wants it and whose owner may see the appliance (an admin: any).
  /// A message that no webhook takes is not stored.
  package func write(in session: PostgresSession) throws(PostgresError) {
    guard !messages.isEmpty else { return }
    try session.execute(
      Self.insert,
      [
        .textArray(messages.map(\.id.hex)), .textArray(messages.map(\.type.rawValue)), .textArray(messages.map(\.applianceID.rawValue)),
        .textArray(messages.map { String(decoding: $0.body, as: UTF8.self) }), .int8Array(messages.map { $0.type.isTelemetry ? 1 : 0 }),
      ])
  }

  private static let insert = """
    WITH message AS (
      SELECT id::uuid, type, appliance_id, body, lane, place
      FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int8[]) WITH ORDINALITY AS m (id, type, appliance_id, body, lane, place)
    ), wanted AS (
      SELECT message.id, message.lane, message.place, webhook.id AS webhook_id
      FROM message JOIN webhooks webhook ON webhook.disabled_at IS NULL
        AND (webhook.event_types = '{}' OR message.type = ANY (webhook.event_types))
        AND (webhook.appliance_ids = '{}' OR message.appliance_id = ANY (webhook.appliance_ids))
      JOIN users owner ON owner.id = webhook.owner_id
      WHERE owner.role = 'admin'
        OR EXISTS (SELECT FROM appliances WHERE appliances.id = message.appliance_id AND appliances.owner_id = owner.id)
        OR EXISTS (SELECT FROM appliance_shares share WHERE share.appliance_id = message.appliance_id AND share.user_id = owner.id)
    ), stored AS (
      INSERT INTO webhook_messages (id, type, appliance_id, body)
      SELECT DISTINCT ON (id) id, type, appliance_id, body::json FROM message WHERE id IN (SELECT id FROM wanted)
      ON CONFLICT (id) DO NOTHING RETURNING id
    )
    INSERT INTO webhook_deliveries (webhook_id, message_id, lane)
    SELECT webhook_id, id, lane FROM wanted JOIN stored USING (id) ORDER BY place, webhook_id
    ON CONFLICT (message_id, webhook_id) DO NOTHING
    """

  /// The body as Standard Webhooks has it: `{"type","timestamp","data":{…}}`.
  static func body(_ type: WebhookEventType, data members: [UInt8], at time: Timestamp) -> [UInt8] {
    var text: [UInt8] = []
    text.reserveCapacity(members.count + 96)
    text.append("{\"type\":")
    text.append(json: type.rawValue)
    text.append(",\"timestamp\":")
    text.append(json: time.iso8601)
    text.append(",\"data\":{")
    text += members
    text.append("}}")
    return text
  }
}

extension WebhookRows {
  /// Stores a message for the owner's webhooks other than `webhook`, that want its type: about the webhook, not about an appliance.
  static func tellOthers(
    _ type: WebhookEventType, about webhook: WebhookID, data members: [UInt8], at time: Timestamp, key: String, in session: PostgresSession
  ) throws(PostgresError) {
    try session.execute(
      """
      WITH wanted AS (
        SELECT other.id FROM webhooks other JOIN webhooks own ON own.id = $5::text::uuid AND other.owner_id = own.owner_id
        WHERE other.id <> own.id AND other.disabled_at IS NULL AND (other.event_types = '{}' OR $2 = ANY (other.event_types))
      ), stored AS (
        INSERT INTO webhook_messages (id, type, body) SELECT $1::text::uuid, $2, $3::text::json WHERE EXISTS (SELECT FROM wanted)
        ON CONFLICT (id) DO NOTHING RETURNING id
      )
      INSERT INTO webhook_deliveries (webhook_id, message_id, lane) SELECT wanted.id, stored.id, $4 FROM wanted CROSS JOIN stored
      """,
      [
        .text(WebhookMessageID(type, key: key).hex), .text(type.rawValue),
        .text(String(decoding: body(type, data: members, at: time), as: UTF8.self)), .int2(0), .text(webhook.text),
      ])
  }

  /// Stores a message for one webhook and no other, and returns its delivery's id.
  static func tell(
    _ type: WebhookEventType, to webhook: WebhookID, data members: [UInt8], at time: Timestamp, key: String, in session: PostgresSession
  ) throws(PostgresError) -> Int64? {
    try session.query(
      """
      WITH stored AS (
        INSERT INTO webhook_messages (id, type, body) VALUES ($1::text::uuid, $2, $3::text::json) RETURNING id)
      INSERT INTO webhook_deliveries (webhook_id, message_id, lane) SELECT $5::text::uuid, id, $4 FROM stored RETURNING id
      """,
      [
        .text(WebhookMessageID(type, key: key).hex), .text(type.rawValue),
        .text(String(decoding: body(type, data: members, at: time), as: UTF8.self)), .int2(0), .text(webhook.text),
      ]
    ).decode(Int64.self).first
  }
}
