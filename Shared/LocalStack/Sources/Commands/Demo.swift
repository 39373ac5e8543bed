/// The demo's accounts (see `deploy/demo.yaml`) and what a person is told.
enum Demo {
  static let user = "demo"
  static let appliance = "EPIC-001"
  static let controller = "LAB-1"
  /// What the password of the user is kept as among the stack's secrets.
  static let secret = "demo_password"

  static func introduction(
    page: String, webSocket: String, token: String, tokenFile: String, api: String, passwordFile: String, programs: String
  ) -> String {
    """

    See it in a browser, as user `\(user)` with the password that is in \(passwordFile):

      \(page)

    A simulated cooker, \(appliance), is cooking. Its events reach apps here:

      \(webSocket)

    as user `\(user)`, whose token is in \(tokenFile):

      \(token)

    See them from another terminal, through a WebSocket client that is not ours:

      (echo '{"type":"subscribe","appliance_id":"\(appliance)"}'; cat) | \\
        /usr/bin/python3 -m websockets "\(webSocket)?token=$(cat \(tokenFile))"

    A simulated lab controller, \(controller), measures; a dashboard sees it by

      (cat) | /usr/bin/python3 -m websockets "\(webSocket)/datapoints/stream?token=$(cat \(tokenFile))"

    Read what was stored, and send commands, through the API (\(api)/docs explains it):

      \(programs)/martletctl login \(user) --password-file \(passwordFile) --api-url \(api)
      \(programs)/martletctl sessions \(appliance)
      \(programs)/martletctl send \(appliance) cooking:stop
      \(programs)/martletctl latest

    The live events follow; Ctrl-C stops everything.

    """
  }
}
