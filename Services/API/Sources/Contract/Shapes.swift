import Access
import Models
import RuleEvaluation
import Store

/// The shapes that several operations share.
enum Shapes {
  static let limitMax = 1000

  static let limit = Operation.Parameter(
    name: "limit", schema: .integer(1...limitMax), note: "The most items of the page; 100 when left out.")
  static let cursor = Operation.Parameter(
    name: "cursor", schema: .opaque(1...1024),
    note: "next_cursor of the page before, with all else as it was; the first page when left out.")
  static let from = Operation.Parameter(name: "from", schema: .moment, note: "The beginning, itself included; all there is when left out.")
  static let to = Operation.Parameter(name: "to", schema: .moment, note: "The end, itself not included; up to now when left out.")
  static let order = Operation.Parameter(
    name: "order", schema: .word(["oldest_first", "newest_first"]), note: "oldest_first when left out.")
  static let format = Operation.Parameter(
    name: "format", schema: .word(["json", "csv"]),
    note: "Stands for the header Accept. A CSV holds all that was asked for, however long; it takes neither limit nor cursor.")
  static let metric = Operation.Parameter(
    name: "metric", schema: .text(1...512), isRequired: true, note: "The metric's name, such as cv_status.confidence.")

  static func page(_ name: String, of item: Schema) -> Schema {
    .object([
      .required(name, .list(item)),
      .required("next_cursor", .nullable(.opaque(1...1024)), "The parameter cursor of the next page; null after the last."),
    ])
  }

  static func json(_ name: String, _ items: [JSONValue], next: String?) -> JSONValue {
    .object([(name, .list(items)), ("next_cursor", .optional(next) { .text($0) })])
  }

  /// As the API writes an event, it is the envelope of the bus, byte for byte what the device sent where it is the device's.
  static let event = Schema.named(
    "Event",
    .openObject([
      .required("type", .eventType), .required("appliance_id", .applianceID),
      .required("timestamp", .moment, "The device's own time where it sent one."),
      .required("data", .anyObject), .required("id", .opaque(3...41), "The event's place in the log: the order within the appliance."),
    ]))

  static let reading = Schema.named("Reading", .object([.required("timestamp", .moment), .required("value", .number)]))

  static let bucket = Schema.named(
    "Bucket",
    .object([
      .required("start", .moment), .required("count", .count), .required("min", .number), .required("max", .number),
      .required("average", .number), .required("last", .number, "The newest."),
    ]))

  static let metricName = Schema.named(
    "Metric", .object([.required("name", .opaque(1...512)), .required("last_at", .moment), .required("last", .number)]))

  static let command = Schema.named(
    "Command",
    .object([
      .required("command_id", .opaque(1...128)), .required("appliance_id", .applianceID), .required("type", .eventType),
      .required("state", .word(["requested", "sent", "acknowledged", "failed"]), "acknowledged is said on the device's own word only."),
      .required("code", .nullable(.opaque(1...64)), "Why it failed: APPLIANCE_OFFLINE, COMMAND_TIMEOUT, REJECTED, SUPERSEDED, …"),
      .required("message", .nullable(.opaque(0...16384)), "The same for people, or the device's word."),
      .required("user_id", .nullable(.opaque(1...255)), "Who sent it."), .required("data", .nullable(.anyObject)),
      .required("issued_at", .moment), .required("expires_at", .nullable(.moment), "Never delivered after it."),
      .required("sent_at", .nullable(.moment)), .required("settled_at", .nullable(.moment)),
    ]))

  static let session = Schema.named(
    "Session",
    .object([
      .required("session_id", .opaque(1...1024)), .required("appliance_id", .applianceID),
      .required("recipe_id", .nullable(.opaque(0...16384))), .required("recipe_name", .nullable(.opaque(0...16384))),
      .required("total_stages", .nullable(.count)), .required("current_stage", .nullable(.count)),
      .required("current_stage_name", .nullable(.opaque(0...16384))), .required("started_at", .moment),
      .required("ended_at", .nullable(.moment)),
      .required(
        "outcome", .nullable(.word(CookingOutcome.allCases.map(\.rawValue))),
        "Null while nothing is known of its end, also when the device has vanished."),
      .required("last_error", .nullable(.anyObject)), .required("summary", .nullable(.anyObject), "The data of cooking:complete."),
      .required("updated_at", .moment), .required("stages", .list(stage)),
    ]))

  static let watch = Schema.named(
    "Watch",
    .object([
      .required("session_id", .opaque(36...36)), .required("appliance_id", .applianceID, "The camera."),
      .required("user_id", .opaque(1...255), "Who watched."), .required("state", .word(["open", "ended"])),
      .required("started_at", .moment),
      .required("answered_at", .nullable(.moment), "When the camera first answered; told with the end. Null if it never did."),
      .required("ended_at", .nullable(.moment)), .required("duration_s", .nullable(.number)),
      .required("reason", .nullable(.word(WatchEndReason.allCases.map(\.rawValue))), "How it ended."),
      .required("end_requested_at", .nullable(.moment)),
      .required("end_requested_by", .nullable(.opaque(1...255)), "Who ended it by this interface; null for the viewer's own end_watch."),
    ]))

  static let presence = Schema.named(
    "Presence",
    .object([
      .required("appliance_id", .applianceID), .required("connected", .boolean), .required("connected_since", .nullable(.moment)),
      .required("data", .nullable(.anyObject), "What the camera last said of itself, kept for a day."),
      .required("data_at", .nullable(.moment)), .required("data_age_s", .nullable(.number), "How old data is."),
    ]))

  static let rule = Schema.named(
    "Rule",
    .openObject([
      .required("id", .text(1...64)), .optional("name", .opaque(0...255)), .optional("enabled", .boolean),
      .optional("severity", .word(Severity.allCases.map(\.rawValue)), "warning when left out."),
      .optional("appliances", .list(.opaque(1...128)), "Ids, or patterns with *; all when left out."),
      .optional("dialects", .list(.word(Dialect.allCases.map(\.rawValue))), "All when left out."),
      .required("when", .anyObject, "What to watch for: a metric with operator and value, no_data_seconds, or an event."),
      .optional("for_seconds", .number), .optional("cooldown_seconds", .number),
      .optional("hours", .anyObject, "from and until as 06:00, and utc_offset_minutes."),
      .optional("actions", .anyObject, "alarm, webhook and event (true or false), and command with type and data."),
    ]))

  static let firing = Schema.named(
    "Firing",
    .object([
      .required("rule_id", .opaque(1...64)), .required("appliance_id", .applianceID),
      .required("severity", .word(Severity.allCases.map(\.rawValue))), .required("metric", .nullable(.opaque(1...512))),
      .required("value", .nullable(.number)), .required("fired_at", .moment, "When the log took in what it fired on, or when it fell due."),
    ]))

  static let alarm = Schema.named(
    "Alarm",
    .object([
      .required("alarm_id", .count), .required("appliance_id", .applianceID),
      .required("source", .opaque(1...512), "rule:<id>, or code:<the device's code>."), .required("name", .opaque(0...1024)),
      .required("severity", .word(Severity.allCases.map(\.rawValue))), .required("state", .word(["open", "cleared"])),
      .required("metric", .nullable(.opaque(1...512))), .required("value", .nullable(.number)),
      .required("raised_count", .count, "How often it was raised since it is open."), .required("raised_at", .moment),
      .required("updated_at", .moment), .required("acknowledged_at", .nullable(.moment)),
      .required("acknowledged_by", .nullable(.opaque(1...255))), .required("cleared_at", .nullable(.moment)),
      .required("clear_reason", .nullable(.word(AlarmRows.ClearReason.allCases.map(\.rawValue)))),
    ]))

  static let auditEntry = Schema.named(
    "AuditEntry",
    .object([
      .required("number", .count), .required("at", .moment),
      .required("service", .opaque(1...64), "Which says so; database for a change that was not made through the API."),
      .required("action", .word(AuditEntry.Action.allCases.map(\.rawValue))),
      .required("result", .word(AuditEntry.Result.allCases.map(\.rawValue))),
      .required("user_id", .nullable(.opaque(1...255))),
      .required("appliance_id", .nullable(.opaque(1...255)), "The appliance that it is about, or that it is."),
      .required("command_id", .nullable(.opaque(1...255))), .required("address", .nullable(.opaque(0...255)), "Where it came from."),
      .required("detail", .opaque(0...2048), "For people."), .required("count", .count, "How many like ones this stands for."),
    ]))

  private static let stage = Schema.named(
    "Stage",
    .object([
      .required("stage", .count), .required("name", .nullable(.opaque(0...16384))), .required("duration_s", .nullable(.number)),
      .required("result", .nullable(.opaque(0...16384))), .required("transition", .nullable(.opaque(0...16384))),
      .required("started_at", .nullable(.moment)), .required("ended_at", .nullable(.moment)),
    ]))

  static let user = Schema.named(
    "User",
    .object([
      .required("id", .text(1...255), "The sub of the user's tokens."), .required("name", .text(0...255)),
      .required("role", .word(UserRole.allCases.map(\.rawValue))),
    ]))

  static let appliance = Schema.named(
    "Appliance",
    .object([
      .required("id", .applianceID), .required("name", .text(0...255)), .required("dialect", .word(Dialect.allCases.map(\.rawValue))),
      .required("owner_id", .text(1...255)),
      .required("accepts_unproven", .boolean, "Whether it is a camera that is taken at its word while it has no secret."),
      .required("permission", .word(Permission.allCases.map(\.word)), "What the caller may do with it."),
      .optional("warning", .text(1...400), "What its owner should know of how it is registered."),
    ]))

  static let share = Schema.named(
    "Share",
    .object([
      .required("user_id", .text(1...255)),
      .required("role", .word(ShareRole.allCases.map(\.rawValue)), "account: as much as the user's own role allows."),
    ]))

  static let tokens = Schema.named(
    "Tokens",
    .object([
      .required("access_token", .opaque(1...8192)), .required("token_type", .word(["Bearer"])), .required("expires_in", .count, "Seconds."),
      .required("refresh_token", .opaque(1...128), "Good for one use."), .required("refresh_expires_in", .count, "Seconds."),
      .required("user_id", .text(1...255)),
    ]))
}

extension Permission {
  var word: String {
    switch self {
    case .watch: "watch"
    case .operate: "operate"
    case .own: "own"
    case .administer: "administer"
    }
  }
}
