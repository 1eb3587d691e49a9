        -- How raw files are written, stated once: commas, a header, quotes where they must be, nothing for null.
        auto_detect = false,
        header = true,
        delim = ',',
        quote = '"',
        escape = '"',
        nullstr = '',
