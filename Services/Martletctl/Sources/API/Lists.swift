import ArgumentParser
import Models
import ServiceRuntime

struct Users: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the users, for admins.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show("/v1/users", member: "users", columns: [("ID", "id"), ("NAME", "name"), ("ROLE", "role")])
  }
}

struct Appliances: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the appliances that one may see.")

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(
      "/v1/appliances", member: "appliances",
      columns: [
        ("ID", "id"), ("NAME", "name"), ("DIALECT", "dialect"), ("OWNER", "owner_id"), ("PERMISSION", "permission"),
        ("UNPROVEN", "accepts_unproven"),
      ])
  }
}

struct Sessions: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Lists the cooking sessions of an appliance, newest first.")

  @Argument(help: "The appliance's id.") var appliance: String

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(
      "/v1/appliances/\(APIClient.escaped(appliance))/sessions", member: "sessions",
      columns: [
        ("SESSION", "session_id"), ("RECIPE", "recipe_name"), ("STARTED", "started_at"), ("ENDED", "ended_at"), ("OUTCOME", "outcome"),
        ("STAGE", "current_stage"), ("OF", "total_stages"),
      ])
  }
}

/// A stretch of time, as both histories take it.
struct WindowOptions: ParsableArguments {
  @Option(help: ArgumentHelp("From this moment on, such as 2026-02-14T12:30:00Z.", valueName: "time")) var from: String?
  @Option(help: ArgumentHelp("Up to this moment.", valueName: "time")) var to: String?
  @Flag(help: "The newest first.") var newest = false

  var query: [(String, String?)] { [("from", from), ("to", to), ("order", newest ? "newest_first" : nil)] }
}

struct Events: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Shows stored events of an appliance, one a line.")

  @Argument(help: "The appliance's id.") var appliance: String
  @Option(help: ArgumentHelp("Only these types, separated by commas.", valueName: "types")) var type: String?

  @OptionGroup var window: WindowOptions
  @OptionGroup var limit: LimitOption
  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let listing = Listing(
        path: "/v1/appliances/\(APIClient.escaped(appliance))/events", member: "events", query: window.query + [("type", type)],
        limit: limit.limit)
      for event in try await listing.items(api.client()) {
        guard Console.write(EventLine.line(event.bytes, api.json ? .json : .readable)) else { return }
      }
    }
  }
}

struct Readings: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows the readings of one metric of an appliance; without one, its metrics.",
    discussion: "With --bucket, the least, the largest and the mean of each stretch of so many seconds.")

  @Argument(help: "The appliance's id.") var appliance: String
  @Argument(help: "The metric's name, such as temperature.") var metric: String?
  @Option(help: ArgumentHelp("The width of buckets.", valueName: "seconds")) var bucket: Int?

  @OptionGroup var window: WindowOptions
  @OptionGroup var limit: LimitOption
  @OptionGroup(title: "The API") var api: APIOptions

  func validate() throws {
    if bucket != nil, metric == nil { throw ValidationError("--bucket is for the readings of one metric: name it.") }
    if bucket != nil, window.newest { throw ValidationError("Buckets come oldest first: leave out --newest.") }
  }

  func run() async throws {
    try await reporting {
      let client = try api.client()
      let base = "/v1/appliances/\(APIClient.escaped(appliance))"
      guard let metric else {
        return try await Listing(path: base + "/metrics", member: "metrics", limit: limit.limit)
          .show(client, json: api.json, columns: [("METRIC", "name"), ("LAST", "last"), ("AT", "last_at")])
      }
      let query = window.query + [("metric", metric)]
      guard let bucket else {
        return try await Listing(path: base + "/readings", member: "readings", query: query, limit: limit.limit)
          .show(client, json: api.json, columns: [("TIME", "timestamp"), ("VALUE", "value")])
      }
      let listing = Listing(
        path: base + "/readings/buckets", member: "buckets", query: query.filter { $0.0 != "order" } + [("bucket_s", String(bucket))],
        limit: limit.limit)
      try await listing.show(
        client, json: api.json,
        columns: [("START", "start"), ("COUNT", "count"), ("MIN", "min"), ("MAX", "max"), ("AVERAGE", "average"), ("LAST", "last")])
    }
  }
}
