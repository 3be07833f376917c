if(CADENA_SANITIZE)
  list(JOIN CADENA_SANITIZE "," sanitizers)
  add_compile_options(-fsanitize=${sanitizers} -fno-omit-frame-pointer -fno-sanitize-recover=all
    -Wno-maybe-uninitialized)  # g++ sees uninitialized values in instrumented code that are none
  add_link_options(-fsanitize=${sanitizers})
endif()
