import ArgumentParser
import Martletctl

@main struct Program {
  static func main() async {
    await Martletctl.main()
  }
}
