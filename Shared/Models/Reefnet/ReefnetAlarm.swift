/// The payload of an `alarm` frame (the reefnet document, "`alarm` Frames"): an alarm that is raised or cleared. One is known again by its code.
package struct ReefnetAlarm: Hashable, Sendable {
  package enum Severity: String, Hashable, Sendable, CaseIterable { case critical, warning, info }

  /// `safety.thermal_runaway`, `thermistor_mismatch`, …
  package let code: String
  package let isActive: Bool
  /// One that the document does not know counts as a warning.
  package let severity: Severity
  /// A title for people.
  package let message: String
  /// `safety` or `sensors`; the module may leave it out for the second.
  package let category: String?
  package let detail: String?
  /// Nil where the module did not tell, or did not know the time.
  package let triggeredAt: Timestamp?
  package let clearedAt: Timestamp?
  /// A JSON object, as its text: what was measured, which varies with the code.
  package let meta: [UInt8]

  /// Throws the member that is missing or wrong, by its path.
  package init(payload: JSONObject) throws(ModelError) {
    try Self.shape.check(payload, path: "payload")
    guard let code = payload.string("code") else { throw .missing("payload.code") }
    guard let isActive = payload.boolean("active") else { throw .missing("payload.active") }
    self.code = code
    self.isActive = isActive
    severity = payload.string("severity").flatMap(Severity.init) ?? .warning
    message = payload.string("message") ?? code
    category = payload.string("category")
    detail = payload.string("detail")
    triggeredAt = payload.string("triggered_at").flatMap(Timestamp.init(iso8601:))
    clearedAt = payload.string("cleared_at").flatMap(Timestamp.init(iso8601:))
    meta = payload.object("meta")?.bytes ?? Array("{}".utf8)
  }

  /// The alarm in a `reefnet:alarm` of the bus; nil for any other event.
  package init?(_ event: Event) {
    guard event.type == .reefnetAlarm, let payload = (try? JSONObject(parsing: event.data))?.object("payload"),
      let alarm = try? Self(payload: payload)
    else { return nil }
    self = alarm
  }

  /// An alarm is nothing without its code and whether it is active. For what else it may lack none is dropped.
  static let shape = DataShape([
    .optional("severity", .string), .required("code", .text(bytesMax: 128)), .optional("message", .string), .optional("category", .string),
    .required("active", .boolean), .optional("detail", .string), .optional("triggered_at", .string), .optional("cleared_at", .string),
    .optional("meta", .object(DataShape())),
  ])
}
