import HTTPTypes
import Hummingbird
import Models
import Store

/// What happened at an appliance: its events, the readings inside them, its cooking sessions.
struct HistoryRoutes: Sendable {
  let history: HistoryStore
  let exports: Exports
  let view: RoleView

  /// Buckets of other than whole minutes are made from every single reading.
  private static let rawBucketsWindowMax = Duration.seconds(86_400)
  private static let typesMax = 16

  private typealias EventQuestion = @Sendable (EventID?, Int) async throws -> HistoryStore.EventPage
  private typealias ReadingQuestion = @Sendable (ReadingPosition?, Int) async throws -> HistoryStore.ReadingPage

  var routes: [Route] {
    [
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/events", id: "listEvents", group: .history,
          summary:
            "Events of an appliance, those that the caller's role gets, in the order in which the log took them in. A page may have fewer than its limit.",
          admittance: .appliance(.watch),
          query: [
            Operation.Parameter(name: "type", schema: .text(1...1040), note: "Only these types, separated by commas, at most 16."),
            Shapes.from, Shapes.to, Shapes.order, Shapes.limit, Shapes.cursor, Shapes.format,
          ],
          answer: .init(
            status: .ok, note: "A page; from and to are about the time of receipt. As CSV: id, timestamp, type, late, data.",
            content: .jsonOrCSV(Shapes.page("events", of: Shapes.event))),
          problems: [.notAcceptable, .tooManyRequests]), listEvents),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/readings", id: "listReadings", group: .history,
          summary: "Every reading of one metric, by the device's time.", admittance: .appliance(.watch),
          query: [Shapes.metric, Shapes.from, Shapes.to, Shapes.order, Shapes.limit, Shapes.cursor, Shapes.format],
          answer: .init(
            status: .ok, note: "A page. As CSV: timestamp, value.", content: .jsonOrCSV(Shapes.page("readings", of: Shapes.reading))),
          problems: [.notAcceptable, .notPermitted, .tooManyRequests]), listReadings),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/readings/buckets", id: "listBuckets", group: .history,
          summary: "Readings of one metric in buckets of equal width, oldest first; a bucket without readings is left out.",
          admittance: .appliance(.watch),
          query: [
            Shapes.metric,
            Operation.Parameter(
              name: "bucket_s", schema: .integer(1...31_622_400), isRequired: true,
              note: "The width in seconds. One that is no multiple of 60 wants a window of at most a day."),
            Shapes.from, Shapes.to, Shapes.limit, Shapes.cursor, Shapes.format,
          ],
          answer: .init(
            status: .ok, note: "A page. Buckets count from 1970 in UTC. As CSV: start, count, min, max, average, last.",
            content: .jsonOrCSV(Shapes.page("buckets", of: Shapes.bucket))),
          problems: [.notAcceptable, .notPermitted, .tooManyRequests]), listBuckets),
      Route(
        Operation(
          method: .get, path: "/api/v1/appliances/{appliance_id}/metrics", id: "listMetrics", group: .history,
          summary: "The metrics that an appliance has ever told, by name, each with its newest reading.", admittance: .appliance(.watch),
          query: [Shapes.limit, Shapes.cursor],
          answer: .init(status: .ok, note: "A page.", content: .json(Shapes.page("metrics", of: Shapes.metricName)))), listMetrics),
    ]
  }

  // MARK: Events

  private func listEvents(_ call: Call) async throws -> Response {
    let (appliance, window, order) = (try call.appliance(), try call.window(), call.order)
    let types = try Self.types(call)
    let question: EventQuestion = { [history, view] after, limit in
      try await history.events(of: appliance, in: window, types: types, order: order, after: after, limit: limit)
        .filter { view.permits(call, $0.event) }
    }
    if try CSV.isWanted(by: call) {
      return try await exports.csv(
        call.unpaged(), name: "events-\(appliance).csv", header: ["id", "timestamp", "type", "late", "data"], from: EventID?.none
      ) { after in
        let page = try await question(after, Shapes.limitMax)
        return Exports.Page(text: page.items.flatMap(Self.line), next: page.next.map(Optional.some))
      }
    }
    let name = ["events", appliance.rawValue] + call.narrowing(["type", "from", "to", "order"])
    let after = try call.cursor(for: name, count: 1).map { cursor throws(Problem) in
      guard let id = EventID(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return id
    }
    let page = try await question(after, call.integer("limit", default: 100))
    return .json(
      Shapes.json(
        "events", page.items.map { .raw($0.event.encoded()) }, next: page.next.map { Cursor([$0.description]).text(for: name) }))
  }

  private static func types(_ call: Call) throws(Problem) -> Set<EventType>? {
    guard let list = call.query["type"] else { return nil }
    let names = list.split(separator: ",", omittingEmptySubsequences: false)
    let types = Set(names.compactMap { try? EventType(String($0)) })
    guard names.count <= typesMax, names.allSatisfy({ (try? EventType(String($0))) != nil }) else {
      throw Problem(
        .invalidParameter,
        violations: [Violation(place: "type", detail: "must be 1 to \(typesMax) event types, separated by commas")])
    }
    return types
  }

  private static func line(_ stored: StoredEvent) -> [UInt8] {
    let event = stored.event
    return CSV.line([
      event.id?.description ?? "", event.timestamp.iso8601, event.type.rawValue, stored.isLate ? "true" : "false",
      String(decoding: event.data, as: UTF8.self),
    ])
  }

  // MARK: Readings

  private func listReadings(_ call: Call) async throws -> Response {
    let (appliance, window, order, metric) = (try call.appliance(), try call.window(), call.order, call.query["metric"] ?? "")
    try await view.check(metric, call)
    let question: ReadingQuestion = { [history] after, limit in
      try await history.readings(of: appliance, metric: metric, in: window, order: order, after: after, limit: limit)
    }
    if try CSV.isWanted(by: call) {
      return try await exports.csv(
        call.unpaged(), name: "readings-\(appliance).csv", header: ["timestamp", "value"], from: ReadingPosition?.none
      ) { after in
        let page = try await question(after, Shapes.limitMax)
        return Exports.Page(
          text: page.items.flatMap { CSV.line([$0.timestamp.iso8601, String($0.value)]) }, next: page.next.map(Optional.some))
      }
    }
    let name = ["readings", appliance.rawValue] + call.narrowing(["metric", "from", "to", "order"])
    let after = try call.cursor(for: name, count: 2).map { cursor throws(Problem) in
      guard let microseconds = Int64(cursor.parts[0]), let skip = Int(cursor.parts[1]) else { throw Problem(.invalidCursor) }
      return ReadingPosition(timestamp: Timestamp(microseconds: microseconds), skip: skip)
    }
    let page = try await question(after, call.integer("limit", default: 100))
    return .json(
      Shapes.json(
        "readings", page.items.map { ["timestamp": .time($0.timestamp), "value": .number($0.value)] },
        next: page.next.map { Cursor([String($0.timestamp.microseconds), String($0.skip)]).text(for: name) }))
  }

  private func listBuckets(_ call: Call) async throws -> Response {
    let (appliance, window, metric) = (try call.appliance(), try call.window(), call.query["metric"] ?? "")
    try await view.check(metric, call)
    let width = call.integer("bucket_s", default: 60)
    if width % 60 != 0, window.to - window.from > Self.rawBucketsWindowMax {
      throw Problem(
        .invalidParameter,
        violations: [Violation(place: "bucket_s", detail: "must be a multiple of 60, or from and to at most a day apart")])
    }
    let question: @Sendable (Timestamp, Int) async throws -> HistoryPageOfBuckets = { [history] from, limit in
      // One more than wanted tells where the next page begins.
      let buckets = try await history.buckets(
        of: appliance, metric: metric, in: HistoryWindow(from: from, to: window.to), seconds: width, limit: limit + 1)
      return HistoryPageOfBuckets(buckets: Array(buckets.prefix(limit)), next: buckets.count > limit ? buckets[limit].start : nil)
    }
    if try CSV.isWanted(by: call) {
      return try await exports.csv(
        call.unpaged(), name: "buckets-\(appliance).csv", header: ["start", "count", "min", "max", "average", "last"], from: window.from
      ) { from in
        let page = try await question(from, Shapes.limitMax)
        return Exports.Page(text: page.buckets.flatMap(Self.line), next: page.next)
      }
    }
    let name = ["buckets", appliance.rawValue] + call.narrowing(["metric", "bucket_s", "from", "to"])
    let from = try call.cursor(for: name, count: 1).map { cursor throws(Problem) in
      guard let microseconds = Int64(cursor.parts[0]) else { throw Problem(.invalidCursor) }
      return Timestamp(microseconds: microseconds)
    }
    let page = try await question(from ?? window.from, call.integer("limit", default: 100))
    return .json(
      Shapes.json("buckets", page.buckets.map(Self.json), next: page.next.map { Cursor([String($0.microseconds)]).text(for: name) }))
  }

  private struct HistoryPageOfBuckets: Sendable {
    let buckets: [ReadingBucket]
    let next: Timestamp?
  }

  private static func line(_ bucket: ReadingBucket) -> [UInt8] {
    CSV.line(
      [bucket.start.iso8601, String(bucket.count)] + [bucket.min, bucket.max, bucket.average, bucket.last].map { String($0) })
  }

  private static func json(_ bucket: ReadingBucket) -> JSONValue {
    [
      "start": .time(bucket.start), "count": .integer(Int64(bucket.count)), "min": .number(bucket.min), "max": .number(bucket.max),
      "average": .number(bucket.average), "last": .number(bucket.last),
    ]
  }

  // MARK: Metrics

  private func listMetrics(_ call: Call) async throws -> Response {
    let appliance = try call.appliance()
    let name = ["metrics", appliance.rawValue]
    let after = try call.cursor(for: name, count: 1)?.parts[0]
    let permitted = try await view.metrics(call)
    let page = try await history.metrics(of: appliance, after: after, limit: call.integer("limit", default: 100))
      .filter { permitted.permits($0.name) }
    return .json(
      Shapes.json(
        "metrics", page.items.map { ["name": .text($0.name), "last_at": .time($0.lastAt), "last": .number($0.last)] },
        next: page.next.map { Cursor([$0]).text(for: name) }))
  }
}
