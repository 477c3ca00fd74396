{
  # The name of a registry entry: nix registry add uvicorn-gunicorn-poetry <where it is>.
  # Called with ./mirror, it is the checkout that ./mirror belongs to.
  inputs.base.url = "flake:uvicorn-gunicorn-poetry";

  outputs = { self, base }:
    (base.lib.mkApplication {
      projectDir = ./.;
      python = "python313";
    }).outputs;
}
