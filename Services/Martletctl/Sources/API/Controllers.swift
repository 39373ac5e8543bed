import ArgumentParser
import Models
import NIOHTTP1
import ServiceRuntime

struct Sensors: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the sensors of a lab controller; `martletctl apply` makes them.")

  @Argument(help: "The controller's appliance id.") var appliance: String

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(
      "/v1/appliances/\(APIClient.escaped(appliance))/sensors", member: "sensors",
      columns: [("ID", "id"), ("NAME", "name"), ("UNIT", "unit")])
  }
}

struct Plugins: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the plugins of a lab controller and the sensors that they read; `martletctl apply` makes them.")

  @Argument(help: "The controller's appliance id.") var appliance: String

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(
      "/v1/appliances/\(APIClient.escaped(appliance))/plugins", member: "plugins",
      columns: [("ID", "id"), ("NAME", "name"), ("ENABLED", "enabled"), ("READS", "sensor_ids")])
  }
}

/// The newest readings, as dashboards poll them.
struct Latest: AsyncParsableCommand {
  static let configuration = CommandConfiguration(abstract: "Shows the newest reading of each sensor that one may see.")

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let answer = try await api.client().get("/v1/datapoints/latest")
      let datapoints = try (answer.elements("datapoints") ?? []).map { try JSONObject(parsing: Array($0)) }
      datapoints.show(
        json: api.json,
        columns: [
          ("SENSOR", "event_public_id"), ("VALUE", "value"), ("TIME (UTC)", "timestamp"), ("EXPERIMENT", "experiment_public_id"),
        ])
    }
  }
}

struct Experiments: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the experiments of a lab controller, newest first; starts and stops them.",
    subcommands: [ListExperiments.self, StartExperiment.self, StopExperiment.self], defaultSubcommand: ListExperiments.self)
}

struct ListExperiments: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists the experiments of a lab controller, newest first.")

  @Argument(help: "The controller's appliance id.") var appliance: String

  @OptionGroup var list: ListOptions

  func run() async throws {
    try await list.show(ExperimentCall.path(appliance), member: "experiments", columns: ExperimentCall.columns)
  }
}

struct StartExperiment: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "start", abstract: "Starts an experiment; adds it first where there is none of this id.")

  @Argument(help: "The controller's appliance id.") var appliance: String
  @Argument(help: "The experiment's id.") var experiment: String
  @Option(help: "Its name, when it is added; the id when left out.") var name: String?

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      let client = try api.client()
      var members = [("id", experiment)]
      if let name { members.append(("name", name)) }
      do {
        _ = try await client.send(.POST, ExperimentCall.path(appliance), body: JSONText.object(members))
      } catch let problem as APIProblem where problem.code == "already_exists" {}
      try await ExperimentCall.change(appliance, experiment, "start", client, json: api.json)
    }
  }
}

struct StopExperiment: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "stop", abstract: "Stops an experiment.")

  @Argument(help: "The controller's appliance id.") var appliance: String
  @Argument(help: "The experiment's id.") var experiment: String

  @OptionGroup(title: "The API") var api: APIOptions

  func run() async throws {
    try await reporting {
      try await ExperimentCall.change(appliance, experiment, "stop", api.client(), json: api.json)
    }
  }
}

private enum ExperimentCall {
  static let columns = [
    (title: "ID", path: "id"), ("NAME", "name"), ("CREATED", "created_at"), ("STARTED", "started_at"), ("STOPPED", "stopped_at"),
  ]

  static func path(_ appliance: String) -> String { "/v1/appliances/\(APIClient.escaped(appliance))/experiments" }

  /// Starts or stops one, and shows it.
  static func change(_ appliance: String, _ experiment: String, _ verb: String, _ client: APIClient, json: Bool) async throws {
    let answer = try await client.send(.POST, "\(path(appliance))/\(APIClient.escaped(experiment))/\(verb)")
    let object: JSONObject
    do { object = try JSONObject(parsing: answer) } catch { throw CommandError("The API's answer cannot be read: \(error).") }
    [object].show(json: json, columns: columns)
  }
}
