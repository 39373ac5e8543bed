import Foundation

/// What `stack.json` tells of a running stack: every address, and where tokens, credentials and logs are. Holds no secret.
package struct StackReport: Codable, Sendable {
  /// The process that keeps the stack; SIGTERM ends it in good order.
  package var process: Int32
  /// The address for apps, behind nginx: `ws://127.0.0.1:8080/ws`.
  package var webSocket: String?
  /// The web page's address: `http://127.0.0.1:8080/`.
  package var page: String?
  /// The API's address, behind nginx: `http://127.0.0.1:8080/api`.
  package var api: String?
  /// The broker for devices, without credentials.
  package var mqtt: String?
  /// Address and password file of each user, by server and user.
  package var redis: [String: Login] = [:]
  package var postgres: [String: Login] = [:]
  package var mosquitto: [String: Login] = [:]
  /// Our services by name.
  package var services: [String: Service] = [:]
  /// The certificate authority of the TLS listeners, if there are any.
  package var caFile: String?
  /// The file with an app's token, once one was made.
  package var tokenFile: String?
  /// The file with that user's password for the API, once one was made.
  package var passwordFile: String?
  /// The folder with one log per part.
  package var logs: String

  private enum CodingKeys: String, CodingKey {
    case process, page, api, mqtt, redis, postgres, mosquitto, services, logs
    case webSocket = "web_socket"
    case caFile = "ca_file"
    case tokenFile = "token_file"
    case passwordFile = "password_file"
  }

  package struct Login: Codable, Sendable {
    package var url: String
    package var tlsURL: String?
    package var passwordFile: String

    private enum CodingKeys: String, CodingKey {
      case url
      case tlsURL = "tls_url"
      case passwordFile = "password_file"
    }
  }

  package struct Service: Codable, Sendable {
    /// The service's own address; only gateway, API and signaling listen on it.
    package var address: String
    /// The address of `/livez`, `/readyz` and `/metrics`.
    package var admin: String
  }

  init(_ stack: LocalStack) {
    process = getpid()
    logs = "\(stack.folder.path)/logs"
    if let nginx = try? stack.nginx { (page, webSocket, api) = (nginx.pageURL, "\(nginx.url)/ws", nginx.apiURL) }
    if let server = try? stack.redis {
      caFile = server.tls?.caFile
      for user in RedisServer.User.allCases {
        redis[user.rawValue] = Login(url: server.url(user), tlsURL: server.tlsURL(user), passwordFile: server.passwordFile(user))
      }
    }
    if let server = try? stack.postgres {
      caFile = caFile ?? server.caFile
      for role in PostgresServer.Role.allCases {
        postgres[role.rawValue] = Login(url: server.url(role), passwordFile: server.passwordFile(role))
      }
    }
    if let server = try? stack.mosquitto {
      caFile = caFile ?? server.tls?.caFile
      mqtt = "mqtt://\(server.host):\(server.port)"
      for user in MosquittoServer.User.allCases {
        mosquitto[user.rawValue] = Login(url: server.url(user), tlsURL: server.tlsURL(user), passwordFile: server.passwordFile(user))
      }
    }
    for service in stack.services {
      services[service.name] = Service(
        address: "\(service.host):\(service.port)", admin: "http://\(service.host):\(service.adminPort)")
    }
  }

  /// The report of the stack that runs in a folder; nil when none does.
  package static func ofRunningStack(in folder: StackFolder) -> StackReport? {
    guard let data = FileManager.default.contents(atPath: folder.reportFile),
      let report = try? JSONDecoder().decode(StackReport.self, from: data), kill(report.process, 0) == 0 || errno == EPERM
    else { return nil }
    return report
  }

  /// Writes `stack.json`, readable by its owner only.
  package func write(to folder: StackFolder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try folder.writePrivate(String(decoding: encoder.encode(self), as: UTF8.self) + "\n", to: folder.reportFile)
  }
}
