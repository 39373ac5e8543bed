import ArgumentParser
import Foundation
import ServiceRuntime

/// Options that stand for variables of the environment.
protocol VariableOptions: ParsableArguments {
  /// Texts by variable name.
  var texts: [String: String?] { get }
}

struct ConfigFileOption: VariableOptions {
  @Option(help: ArgumentHelp("Stands for MARTLET_CONFIG_FILE.", valueName: "file"))
  var configFile: String?

  var texts: [String: String?] { [RuntimeConfiguration.configFile.name: configFile] }
}

struct PostgresOptions: VariableOptions {
  @Option(help: ArgumentHelp("Stands for MARTLET_POSTGRES_URL.", valueName: "url"))
  var postgresURL: String?

  var texts: [String: String?] { [ConfigurationVariable.postgresURL.name: postgresURL] }
}

struct RedisOptions: VariableOptions {
  @Option(help: ArgumentHelp("Stands for MARTLET_REDIS_URL.", valueName: "url"))
  var redisURL: String?

  var texts: [String: String?] { [ConfigurationVariable.redisURL.name: redisURL] }
}

struct MQTTOptions: VariableOptions {
  @Option(help: ArgumentHelp("Stands for MARTLET_MQTT_URL.", valueName: "url"))
  var mqttURL: String?

  var texts: [String: String?] { [ConfigurationVariable.mqttURL.name: mqttURL] }
}

extension ConfigurationValues {
  /// The options over the environment over the file.
  init(_ options: any VariableOptions..., environment: [String: String] = ProcessInfo.processInfo.environment) throws(ConfigurationError) {
    var texts: [String: String] = [:]
    for option in options {
      for case (let name, let text?) in option.texts { texts[name] = text }
    }
    self.init(try ConfigurationSources(options: texts, environment: environment))
  }
}
